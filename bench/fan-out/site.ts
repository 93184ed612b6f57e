// One run's processes: a server on its core, a publisher and a crowd on theirs; started together, ended together. And the
// measured window, which is the same in every case.
import { setTimeout as delay } from 'node:timers/promises';
import { CLIENT_BOUND_AT, type Contender, type Figures, spreadOf } from './figures.ts';
import { type Crowd, forkCrowd, forkPublisher, type Publisher } from './load.ts';
import { type Cores, CoreWatch, cpuSeconds, rssKB } from './machine.ts';
import type { Options } from './options.ts';
import type { CrowdReport, Flush, PublisherReport, WireFormat } from './orders.ts';
import type { RunningSubject, StartOptions, Subject } from './subjects/subject.ts';
import { TidewayServer } from './subjects/tideway.ts';

/** What all runs share. */
export interface Bench {
  readonly options: Options;
  readonly cores: Cores;
  readonly subjects: readonly Subject[];
  /** For files of the run, removed at its end. */
  readonly folder: string;
  /** Tideway's flushes of the last fan-out run, for the floors that come behind it. */
  flushes: readonly Flush[];
  /** Says a line to whoever watches. */
  note(line: string): void;
}

/** What a window saw. */
export interface Window {
  /** CPU, delay, delivery and how busy the cores were. */
  readonly figures: Figures;
  readonly clientBound: boolean;
  readonly crowd: CrowdReport;
  readonly publisher: PublisherReport | undefined;
  /** From one look at CPU, publisher and counter to the other. */
  readonly spanS: number;
  /** Of crowd and publisher together, in cores. */
  readonly loadCpu: number;
  /** Of the server. */
  readonly cpuSeconds: number | undefined;
  /** What the counter went up by. */
  readonly counted: number;
}

export interface WindowOptions {
  /** Whose CPU is measured, when it is not the server's. */
  readonly pids?: readonly number[];
  /** Read at the moments at which the publisher is. */
  readonly counter?: () => Promise<number>;
}

interface Load {
  readonly crowd: Crowd;
  readonly publisher: Publisher;
}

const RSS_SAMPLES = 5;
const PATIENCE_MS = 30_000;

export class Site implements AsyncDisposable {
  readonly server: RunningSubject;
  readonly crowd: Crowd;
  readonly #publisher: Publisher;
  readonly #format: WireFormat;
  readonly #coreWatch: CoreWatch;
  #isOnAir = false;

  private constructor(server: RunningSubject, load: Load, format: WireFormat, cores: Cores) {
    this.server = server;
    this.crowd = load.crowd;
    this.#publisher = load.publisher;
    this.#format = format;
    this.#coreWatch = new CoreWatch(cores.crowd);
  }

  /** @throws Error when the contender's program does not start */
  static async open(
    bench: Bench,
    { subject, format }: Contender,
    options: Pick<StartOptions, 'settings' | 'record' | 'build'> = {},
  ): Promise<Site> {
    const found = bench.subjects.find(({ name }) => name === subject);
    if (!found) throw new Error(`${subject} is not there`);
    const { cores, folder } = bench;
    // The load starts beside the server, on its own core.
    const load = { crowd: forkCrowd(cores), publisher: forkPublisher(cores) };
    try {
      const server = await found.start({ core: cores.server, folder, ...options });
      return new Site(server, load, format, cores);
    } catch (error) {
      await load.crowd[Symbol.asyncDispose]();
      await load.publisher[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The server, when it is tideway. */
  get tideway(): TidewayServer | undefined {
    return this.server instanceof TidewayServer ? this.server : undefined;
  }

  /** Puts streams s0, s1, ... on air; a floor needs none. */
  async publish(streams: number, mbps: number, url = this.server.publishUrl): Promise<void> {
    if (url === undefined) return;
    await this.#publisher.ask({ do: 'publish', url, streams, mbps }, PATIENCE_MS);
    this.#isOnAir = true;
  }

  /** Resolves once each of the players has its first key frame, or has failed. */
  join(
    group: string,
    players: number,
    how: { withinMs: number; streams?: readonly string[]; at?: string; frozen?: boolean },
  ): Promise<CrowdReport> {
    const { withinMs, streams = ['live/s0'], at = this.server.at(this.#format), frozen = false } = how;
    const format = this.#format;
    return this.crowd.ask(
      { do: 'join', group, format, at, streams, players, withinMs, frozen },
      withinMs + PATIENCE_MS,
    );
  }

  measure(group: string): Promise<CrowdReport> {
    return this.crowd.ask({ do: 'measure', group });
  }

  async leave(group: string): Promise<void> {
    await this.crowd.ask({ do: 'leave', group });
  }

  /** Watches a group for a time. */
  async window(group: string, seconds: number, more: WindowOptions = {}): Promise<Window> {
    const { pids = this.server.pids, counter = async () => 0 } = more;
    // A crowd takes a moment to find its place, and its report spans that moment too: so rates are compared, not sums.
    await this.measure(group);
    const [, countBefore] = await Promise.all([this.#measurePublisher(), counter()]);
    this.#coreWatch.take();
    const cpuBefore = cpuSeconds(pids);
    const startMs = performance.now();
    await delay(seconds * 1000);
    const cpuAfter = cpuSeconds(pids);
    const spanS = (performance.now() - startMs) / 1000;
    const loadCore = this.#coreWatch.take();
    const [publisher, countAfter] = await Promise.all([this.#measurePublisher(), counter()]);
    const crowd = await this.measure(group);
    const took = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore;
    const serverCore = took === undefined ? undefined : took / spanS;
    const loadCpu = crowd.cpuMs / crowd.spanMs + (publisher?.cpuMs ?? 0) / 1000 / spanS;
    const gigabytesPerS = crowd.bytes / 1e6 / crowd.spanMs;
    return {
      figures: {
        ...(serverCore !== undefined && gigabytesPerS > 0 && { cpuSecondsPerGB: serverCore / gigabytesPerS }),
        ...delayFigures(crowd),
        ...(serverCore !== undefined && { serverCore }),
        ...(loadCore !== undefined && { loadCore }),
        loadCpu,
      },
      clientBound: loadCore !== undefined && loadCore > CLIENT_BOUND_AT,
      ...{ crowd, publisher, spanS, loadCpu, cpuSeconds: took, counted: countAfter - countBefore },
    };
  }

  /** The server's memory, a median of some moments of a time, KB. */
  async settledRssKB(overMs: number): Promise<number | undefined> {
    const samples: number[] = [];
    for (let left = RSS_SAMPLES; left > 0; left -= 1) {
      const sample = rssKB(this.server.pids);
      if (sample === undefined) return undefined;
      samples.push(sample);
      await delay(overMs / RSS_SAMPLES);
    }
    return spreadOf(samples).median;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crowd[Symbol.asyncDispose]();
    await this.#publisher[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }

  async #measurePublisher(): Promise<PublisherReport | undefined> {
    return this.#isOnAir ? this.#publisher.ask({ do: 'measure' }) : undefined;
  }
}

/** What players saw; without a mark in what was received there is no delay. */
export function delayFigures({ delayMs, delivery, lost }: CrowdReport): Figures {
  return {
    ...(delayMs.count > 0 && { 'delayMs.p50': delayMs.p50, 'delayMs.p99': delayMs.p99 }),
    delivery,
    ...(lost > 0 && { lost }),
  };
}

/** How long new players take to find their key frames. */
export function joinFigures({ joinMs, lost }: CrowdReport): Figures {
  return {
    ...(joinMs.count > 0 && { 'joinMs.p50': joinMs.p50, 'joinMs.p99': joinMs.p99, 'joinMs.max': joinMs.max }),
    ...(lost > 0 && { notJoined: lost }),
  };
}
