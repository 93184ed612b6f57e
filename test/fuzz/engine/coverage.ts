// Which blocks of the source were run, as V8 counts them. V8 counts for the whole process: one of these at a time, begun
// before what it is to count is loaded.
import { Session } from 'node:inspector';

/** Counts of a stretch of a script; a stretch within another one overrules it. */
interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface CountedFunction {
  readonly functionName: string;
  readonly ranges: readonly Range[];
  readonly isBlockCoverage: boolean;
}

/** What ran of a source file since it was asked last. */
export interface FileCounts {
  readonly file: string;
  readonly functions: readonly CountedFunction[];
}

export interface Covered {
  readonly functions: number;
  readonly ofFunctions: number;
  readonly blocks: number;
  readonly ofBlocks: number;
}

export class Coverage {
  readonly #session = new Session();
  /** Functions of a file by where they start, as they were told when it was loaded. */
  readonly #known = new Map<string, Map<number, CountedFunction>>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  /** What ran since this was asked last. To be asked at least once between the loading of a file and its runs. */
  take(): FileCounts[] {
    const counts: FileCounts[] = [];
    // In one thread, the answer is there before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (failure, taken) => {
      if (failure) throw failure;
      for (const { url, functions } of taken.result) {
        const file = sourceFile(url);
        if (file === undefined) continue;
        counts.push({ file, functions });
        this.#learn(file, functions);
      }
    });
    return counts;
  }

  /** Where functions of the file begin. */
  functionsOf(file: string): Iterable<CountedFunction> {
    return this.#known.get(file)?.values() ?? [];
  }

  #learn(file: string, functions: readonly CountedFunction[]): void {
    const known = this.#known.get(file) ?? new Map<number, CountedFunction>();
    this.#known.set(file, known);
    for (const counted of functions) {
      const start = counted.ranges[0]?.startOffset ?? 0;
      if (counted.functionName !== '' && !known.has(start)) known.set(start, counted);
    }
  }
}

/** What some files' code was run of, in all runs of one target. */
export class CoverageMap {
  readonly #coverage: Coverage;
  readonly #files: ReadonlySet<string>;
  /** By file: each place of its text that has run. */
  readonly #ran = new Map<string, Uint8Array>();
  /** Blocks that V8 told apart, as "file start end". */
  readonly #blocks = new Map<string, { readonly file: string; readonly start: number }>();

  constructor(coverage: Coverage, files: readonly string[]) {
    this.#coverage = coverage;
    this.#files = new Set(files);
  }

  /** Did something run that had not run before? Asks only. */
  isNew(counts: readonly FileCounts[]): boolean {
    return counts.some((one) => this.#files.has(one.file) && this.#add(one, true));
  }

  /** Notes what has run; says whether some of it had not run before. */
  merge(counts: readonly FileCounts[]): boolean {
    let found = false;
    for (const one of counts) if (this.#files.has(one.file) && this.#add(one, false)) found = true;
    return found;
  }

  get covered(): Covered {
    const ranAt = (file: string, at: number) => this.#ran.get(file)?.[at] === 1;
    const all = [...this.#files].flatMap((file) =>
      [...this.#coverage.functionsOf(file)].map(({ ranges }) => ranAt(file, ranges[0]?.startOffset ?? 0)),
    );
    const blocks = [...this.#blocks.values()].map(({ file, start }) => ranAt(file, start));
    return {
      functions: all.filter(Boolean).length,
      ofFunctions: all.length,
      blocks: blocks.filter(Boolean).length,
      ofBlocks: blocks.length,
    };
  }

  #add({ file, functions }: FileCounts, askOnly: boolean): boolean {
    const size = Math.max(0, ...functions.map(({ ranges }) => ranges[0]?.endOffset ?? 0));
    const ran = this.#ranOf(file, size);
    let found = false;
    for (const { ranges } of functions) {
      const [whole] = ranges;
      if (!whole || whole.count === 0) continue;
      // Ranges come outermost first, so the last that holds a place tells of it.
      const now = new Uint8Array(whole.endOffset - whole.startOffset);
      for (const { startOffset, endOffset, count } of ranges) {
        now.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
        if (!askOnly) this.#blocks.set(`${file} ${startOffset} ${endOffset}`, { file, start: startOffset });
      }
      for (let at = 0; at < now.length; at += 1) {
        if (now[at] === 0 || ran[whole.startOffset + at] === 1) continue;
        found = true;
        if (askOnly) return true;
        ran[whole.startOffset + at] = 1;
      }
    }
    return found;
  }

  #ranOf(file: string, size: number): Uint8Array {
    const ran = this.#ran.get(file) ?? new Uint8Array(0);
    if (ran.length >= size) return ran;
    const grown = new Uint8Array(size);
    grown.set(ran);
    this.#ran.set(file, grown);
    return grown;
  }
}

/** `src/format/flv.ts` of a script's address, whether it was compiled or not; undefined: it is no source of ours. */
function sourceFile(url: string): string | undefined {
  const [, path] = /\/(src\/[^?]+)\.[jt]s(\?.*)?$/.exec(url) ?? [];
  return path === undefined || url.includes('/node_modules/') ? undefined : `${path}.ts`;
}
