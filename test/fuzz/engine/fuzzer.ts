// The fuzzer: runs a target on inputs made of those that it has, keeps those that reach new code, and makes finds small.
import { Chance } from '../../support/chance.ts';
import { AllocationMeter } from './allocation.ts';
import { type Coverage, CoverageMap, type Covered } from './coverage.ts';
import { mutate, type Stock } from './mutate.ts';
import { Broken, type Target } from './target.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so long, or so many executions: the latter is the same each time. */
  readonly ms: number;
  readonly executions?: number;
  readonly coverage: Coverage;
  readonly corpus: readonly Buffer[];
}

export interface Find {
  readonly input: Buffer;
  readonly reason: string;
  /** The place in the code that threw. */
  readonly at: string;
}

export interface FuzzReport {
  readonly target: string;
  readonly seed: number;
  readonly executions: number;
  readonly ms: number;
  /** Inputs that reached new code, beside those of the corpus. */
  readonly kept: number;
  readonly covered: Covered;
  readonly finds: readonly Find[];
}

/** Coverage is taken once for so many executions; the longer nothing is new, the more. Asking V8 takes about 10 ms. */
const FIRST_BATCH = 100;
const LAST_BATCH = 1_600;
/** Of the finds that differ, so many are told. */
const MAX_FINDS = 10;
/** A find is made smaller by at most so many tries, for so long. */
const MAX_TRIES = 2_000;
const SMALLER_MS = 5_000;
/** An input may take so long. */
const MAX_INPUT_MS = 50;
/** The largest buffer for an input: twice its bytes, and this. */
const MAX_SLACK_BYTES = 128 * 1024;

export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzReport> {
  const meter = new AllocationMeter();
  try {
    return await new Fuzzer(target, options, meter).run();
  } finally {
    meter.stop();
  }
}

/** What is wrong with how the target takes this input; undefined: nothing. */
export async function replay(target: Target, input: Buffer): Promise<Find | undefined> {
  const meter = new AllocationMeter();
  try {
    return await tryInput(target, input, meter);
  } finally {
    meter.stop();
  }
}

class Fuzzer {
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #meter: AllocationMeter;
  readonly #chance: Chance;
  readonly #map: CoverageMap;
  readonly #inputs: Buffer[];
  readonly #stock: Stock;
  /** By what they have in common. */
  readonly #finds = new Map<string, Find>();
  #executions = 0;

  constructor(target: Target, options: FuzzOptions, meter: AllocationMeter) {
    this.#target = target;
    this.#options = options;
    this.#meter = meter;
    this.#chance = new Chance(options.seed);
    this.#map = new CoverageMap(options.coverage, target.covers);
    this.#inputs = options.corpus.length > 0 ? [...options.corpus] : [Buffer.alloc(0)];
    this.#stock = { inputs: this.#inputs, words: target.words, maxBytes: target.maxBytes };
  }

  async run(): Promise<FuzzReport> {
    const { seed, ms, executions = Number.POSITIVE_INFINITY, coverage, corpus } = this.#options;
    const startMs = performance.now();
    const isOver = () => performance.now() - startMs >= ms || this.#executions >= executions;
    coverage.take();
    await this.#runAll(this.#inputs);
    this.#map.merge(coverage.take());
    for (let size = FIRST_BATCH; !isOver(); size = Math.min(2 * size, LAST_BATCH)) {
      const batch = Array.from({ length: size }, () =>
        mutate(this.#chance.pick(this.#inputs), this.#chance, this.#stock),
      );
      await this.#runAll(batch, isOver);
      if (!this.#map.isNew(coverage.take())) continue;
      await this.#keep(batch, isOver);
      size = FIRST_BATCH / 2;
    }
    return {
      target: this.#target.name,
      seed,
      executions: this.#executions,
      ms: performance.now() - startMs,
      kept: this.#inputs.length - Math.max(1, corpus.length),
      covered: this.#map.covered,
      finds: [...this.#finds.values()],
    };
  }

  async #runAll(inputs: readonly Buffer[], isOver = () => false): Promise<void> {
    for (const input of inputs) {
      if (isOver()) return;
      this.#executions += 1;
      const find = await tryInput(this.#target, input, this.#meter);
      if (find) await this.#found(find);
    }
  }

  /** Which of these reached new code? Halves are asked, since few do. */
  async #keep(inputs: readonly Buffer[], isOver: () => boolean): Promise<void> {
    const [input] = inputs;
    if (inputs.length === 1 && input) {
      this.#inputs.push(input);
      return;
    }
    const middle = inputs.length >> 1;
    for (const half of [inputs.slice(0, middle), inputs.slice(middle)]) {
      if (isOver()) return;
      await this.#runAll(half, isOver);
      const counts = this.#options.coverage.take();
      if (!this.#map.isNew(counts)) continue;
      if (half.length === 1) this.#map.merge(counts);
      await this.#keep(half, isOver);
    }
  }

  async #found(find: Find): Promise<void> {
    const kind = kindOf(find);
    if (this.#finds.has(kind) || this.#finds.size === MAX_FINDS) return;
    this.#finds.set(kind, find);
    this.#finds.set(kind, await smallest(find, (input) => this.#same(kind, input)));
  }

  async #same(kind: string, input: Buffer): Promise<Find | undefined> {
    const find = await tryInput(this.#target, input, this.#meter);
    return find && kindOf(find) === kind ? find : undefined;
  }
}

async function tryInput(target: Target, input: Buffer, meter: AllocationMeter): Promise<Find | undefined> {
  try {
    meter.reset();
    const startMs = performance.now();
    const running = target.run(input, Chance.of(input));
    if (running) await running;
    if (performance.now() - startMs > MAX_INPUT_MS) await timed(target, input);
    const { largestBytes } = meter;
    if (largestBytes > 2 * input.length + MAX_SLACK_BYTES) {
      throw new Broken(`${input.length} bytes made a buffer of ${largestBytes}`);
    }
    return undefined;
  } catch (error) {
    return findOf(input, error);
  }
}

/**
 * Takes the time of the processor, in the best of some runs: others are at work on this machine, too.
 * @throws Broken
 */
async function timed(target: Target, input: Buffer): Promise<void> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3 && leastMs > MAX_INPUT_MS; run += 1) {
    const before = process.cpuUsage();
    await target.run(input, Chance.of(input));
    const { user, system } = process.cpuUsage(before);
    leastMs = Math.min(leastMs, (user + system) / 1_000);
  }
  if (leastMs > MAX_INPUT_MS) throw new Broken(`${input.length} bytes took ${Math.round(leastMs)} ms`);
}

function findOf(input: Buffer, error: unknown): Find {
  if (!(error instanceof Error)) return { input, reason: `threw ${String(error)}`, at: '' };
  const reason = error instanceof Broken ? error.message : `threw ${error.name}: ${error.message}`;
  const frames = error.stack
    ?.split('\n')
    .filter((line) => /\/(src|test)\//.test(line) && !/engine/.test(line));
  return { input, reason, at: frames?.[0]?.trim().replace(/^at /, '') ?? '' };
}

/** Finds are of one kind if they say the same, whatever the numbers in it, at the same place. */
function kindOf({ reason, at }: Find): string {
  return `${reason.slice(0, 120).replace(/\d+/g, '0')} ${at}`;
}

/** The find without what it does not need: parts are left out, large ones first, as long as it stays the same. */
async function smallest(find: Find, same: (input: Buffer) => Promise<Find | undefined>): Promise<Find> {
  const untilMs = performance.now() + SMALLER_MS;
  let best = find;
  let tries = 0;
  for (let size = best.input.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.input.length && tries < MAX_TRIES && performance.now() < untilMs; tries += 1) {
      const { input } = best;
      const less = await same(Buffer.concat([input.subarray(0, at), input.subarray(at + size)]));
      if (less) best = less;
      else at += size;
    }
  }
  return best;
}
