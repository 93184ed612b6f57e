// Joining at every instant (design §4): whatever was appended, flushed, evicted or restarted before and after, a player
// gets the opening, the decoder set-up it needs, and from a start frame on every frame once, in order.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameKind } from '../../../src/format/frame.ts';
import type { LogLimits } from '../../../src/media/frame-log.ts';
import {
  FakeSink,
  frameOf,
  GONE,
  kindOf,
  type PayloadName,
  type Received,
  roleOf,
  StreamBench,
  TestEncoder,
  WIDE_LOG,
} from '../../support/media.ts';

/** A step of a stream's history. One player joins before each. */
type Step =
  | {
      readonly do: 'append';
      readonly name: PayloadName;
      readonly version: number;
      readonly size: number;
      readonly dt: number;
    }
  | { readonly do: 'turn' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'drain'; readonly every: number }
  | { readonly do: 'source'; readonly wish: 'go' | 'be taken over'; readonly firstDts: number }
  | { readonly do: 'leave'; readonly which: number };

interface SinkPlan {
  readonly mode: 'fast' | 'by-hand';
  readonly weight: number;
  readonly format: number;
}

interface History {
  readonly limits: LogLimits;
  readonly steps: readonly Step[];
  readonly sinks: readonly SinkPlan[];
  /** Ms that one write takes: so that flushes are gathered by a timer. */
  readonly writeMs: number;
}

const TINY_LOG: LogLimits = { logMs: 120, gopMs: 250, logBytes: 60_000, logFrames: 9 };

function stepsOf(names: fc.Arbitrary<PayloadName>): fc.Arbitrary<Step> {
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        name: names,
        version: fc.nat(2),
        size: fc.oneof(
          { weight: 8, arbitrary: fc.constant(0) },
          { weight: 2, arbitrary: fc.constant(2000) },
          { weight: 1, arbitrary: fc.constant(24_000) },
        ),
        dt: fc.nat(50),
      }),
    },
    { weight: 4, arbitrary: fc.constant({ do: 'turn' as const }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(1500) }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('drain' as const), every: fc.integer({ min: 1, max: 4 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('source' as const),
        wish: fc.constantFrom('go' as const, 'be taken over' as const),
        firstDts: fc.constantFrom(0, 77, 5_000_000, 2 ** 32 + 5),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat(50) }) },
  );
}

function historiesOf(
  names: fc.Arbitrary<PayloadName>,
  limits: LogLimits,
  mode: fc.Arbitrary<'fast' | 'by-hand'>,
): fc.Arbitrary<History> {
  return fc.record({
    limits: fc.constant(limits),
    steps: fc.array(stepsOf(names), { maxLength: 40, size: 'max' }),
    sinks: fc.array(fc.record({ mode, weight: fc.constantFrom(1, 40, 900), format: fc.nat(1) }), {
      minLength: 5,
      maxLength: 5,
    }),
    writeMs: fc.constantFrom(0, 0, 0, 3),
  });
}

const anyNames = fc.constantFrom<PayloadName>(
  'avc key',
  'avc key',
  'avc delta',
  'avc delta',
  'avc delta',
  'avc disposable',
  'aac sample',
  'aac sample',
  'aac sample',
  'data',
  'metadata',
  'avc header',
  'aac header',
);
const audioNames = fc.constantFrom<PayloadName>(
  'aac sample',
  'aac sample',
  'aac sample',
  'data',
  'metadata',
  'aac header',
);
const eitherMode = fc.constantFrom<'fast' | 'by-hand'>('fast', 'by-hand', 'by-hand');

/** Decoder set-up by track: ids. */
interface HeaderIds {
  readonly metadata?: number;
  readonly video?: number;
  readonly audio?: number;
}
const TRACKS = ['metadata', 'video', 'audio'] as const;

/** What the test knows of an appended frame. */
interface Entry {
  readonly name: PayloadName;
  readonly id: number;
  readonly dts: number;
  readonly payload: Buffer;
  /** In effect in its epoch once it was read. */
  readonly headers: HeaderIds;
  /** Players have it already. */
  readonly repeated: boolean;
}

function trackOf(name: PayloadName): (typeof TRACKS)[number] | undefined {
  if (name === 'metadata') return 'metadata';
  if (roleOf(name) !== 'header') return undefined;
  return kindOf(name) === FrameKind.video ? 'video' : 'audio';
}

/** The stream as it ought to be: every frame in order, and where a player may start. */
class Model {
  readonly entries: Entry[] = [];
  /** Every index that was the place to start at, at some time. */
  readonly starts = new Set<number>();
  #floor = 0;
  #headers: HeaderIds = {};
  #earlier: HeaderIds = {};

  append(name: PayloadName, id: number, dts: number, payload: Buffer): void {
    const track = trackOf(name);
    const known = track && (this.#headers[track] ?? this.#earlier[track]);
    const repeated = track !== undefined && track !== 'metadata' && known === id;
    if (track) this.#headers = { ...this.#headers, [track]: id };
    // From now on there may be players that know nothing of the epoch before.
    if (name === 'avc key' || name === 'aac sample') this.#earlier = {};
    this.entries.push({ name, id, dts, payload, headers: this.#headers, repeated });
    const start = this.start();
    if (start === undefined) return;
    this.starts.add(start);
    // Where audio is a start, a log that evicts the first of the last second begins at a later one.
    if (name === 'aac sample' && this.entries[start]?.name === 'aac sample')
      this.starts.add(this.entries.length - 1);
  }

  /** Nobody starts at what there is. */
  close(): void {
    this.#floor = this.entries.length;
  }

  beginEpoch(): void {
    this.#earlier = this.#headers;
    this.#headers = {};
  }

  /** The newest key frame; without video the last second of audio. */
  start(): number | undefined {
    let audio: number | undefined;
    let audioIsOpen = true;
    let sawVideo = false;
    const headDts = this.entries.at(-1)?.dts ?? 0;
    for (let at = this.entries.length - 1; at >= this.#floor; at -= 1) {
      const entry = this.entries[at];
      if (!entry) break;
      if (entry.name.endsWith('key')) return at;
      const isVideo = kindOf(entry.name) === FrameKind.video;
      if (isVideo && roleOf(entry.name) !== 'header') sawVideo = true;
      if (isVideo || headDts - entry.dts > 1000) audioIsOpen = false;
      if (audioIsOpen && entry.name === 'aac sample') audio = at;
    }
    return sawVideo ? undefined : audio;
  }

  /** The newest frame that players are given. */
  newestGiven(): Entry | undefined {
    return this.entries.findLast(({ repeated }) => !repeated);
  }

  /** The index of the next frame that players are given. */
  next(index: number): number {
    let next = index;
    while (this.entries[next]?.repeated) next += 1;
    return next;
  }
}

/** Reads what a player received as runs of the model's entries; throws where it is none. Returns where the runs began. */
function readRuns(frames: readonly Received[], model: Model): { starts: number[]; next: number } {
  const starts: number[] = [];
  let has: HeaderIds = {};
  let next = -1;
  for (let at = 0; at < frames.length; ) {
    const frame = frames[at];
    const due = next < 0 ? undefined : model.entries[model.next(next)];
    if (due && frame && frame.id === due.id && frame.kind === kindOf(due.name)) {
      if (!frame.payload.equals(due.payload)) throw new Error(`the payload of frame ${due.id} changed`);
      const track = trackOf(due.name);
      if (track) has = { ...has, [track]: due.id };
      for (const name of TRACKS) {
        const needs = due.headers[name];
        if (needs !== undefined && has[name] !== needs)
          throw new Error(`frame ${due.id} came without ${name} set-up`);
      }
      next = model.next(next) + 1;
      at += 1;
      continue;
    }
    // A start: decoder set-up that the player lacks, then the start frame, later than anything it has.
    const headers: Received[] = [];
    let start = -1;
    for (; at < frames.length && start < 0; at += 1) {
      const one = frames[at];
      if (!one) break;
      const index = model.entries.findIndex(
        (entry, place) =>
          place >= next &&
          model.starts.has(place) &&
          roleOf(entry.name) !== 'header' &&
          entry.id === one.id &&
          kindOf(entry.name) === one.kind,
      );
      if (index >= 0) start = index;
      else headers.push(one);
    }
    const entry = model.entries[start];
    if (!entry)
      throw new Error(`no start: ${frames.map(({ id }) => id)} of ${model.entries.map(({ id }) => id)}`);
    const given = headers.map(({ id }) => id);
    const expected = TRACKS.flatMap((track) => {
      const id = entry.headers[track];
      if (id === undefined) return [];
      // A player that was overtaken may get again what it had from an earlier epoch, never without need at first.
      return id !== has[track] || (starts.length > 0 && given.includes(id)) ? [id] : [];
    });
    expect(given).toEqual(expected);
    expect(headers.map(({ time }) => time)).toEqual(headers.map(() => frames[at - 1]?.time));
    has = { ...has, ...entry.headers };
    starts.push(start);
    next = start + 1;
  }
  return { starts, next };
}

interface Joined {
  readonly sink: FakeSink;
  /** Where it had to start when it was its turn, and there was a start; undefined: it waits for both. */
  start: number | undefined;
  /** The frames that were flushed by then. */
  flushed: number;
  /** The frames that were there when it came. */
  readonly joinedAt: number;
  readonly plan: SinkPlan;
  left: boolean;
}

function play(history: History): { skips: number } {
  const bench = new StreamBench({
    options: {
      log: history.limits,
      player: {
        maxBacklogBytes: Number.POSITIVE_INFINITY,
        maxBacklogMs: Number.POSITIVE_INFINITY,
        stallMs: Number.POSITIVE_INFINITY,
      },
    },
  });
  const { clock, stream } = bench;
  const model = new Model();
  const encoders = [new TestEncoder('a'), new TestEncoder('b')];
  const players: Joined[] = [];
  const isWide = history.limits === WIDE_LOG;
  let source = bench.start();
  let at: 'attached' | 'live' | 'held' = 'live';
  let dts = 0;
  let nextId = 1;
  let flushed = 0;

  const join = (): void => {
    const plan = history.sinks[players.length % history.sinks.length];
    const encoder = encoders[plan?.format ?? 0];
    if (!plan || !encoder) return;
    const sink = new FakeSink(plan.mode, {
      weight: plan.weight,
      onWrite: () => clock.spend(history.writeMs),
    });
    players.push({
      ...{ sink, start: undefined, flushed: 0, joinedAt: model.entries.length, plan, left: false },
    });
    bench.join(sink, encoder);
  };
  /** Turns of the event loop, until nobody waits for one. */
  const turn = (): void => {
    do {
      clock.turn();
      if (history.writeMs === 0) flushed = model.entries.length;
      for (const player of players) {
        if (player.start !== undefined || player.sink.openings.length === 0) continue;
        player.start = model.start();
        player.flushed = flushed;
      }
    } while (clock.soonCount > 0);
  };
  const append = (name: PayloadName, version: number, size: number): void => {
    // Headers of one version are the same bytes.
    const id =
      roleOf(name) === 'header' ? (kindOf(name) === FrameKind.video ? 0x1000 : 0x2000) + version : nextId++;
    const frame = frameOf(name, id, dts, roleOf(name) === 'header' ? 0 : size);
    bench.append(frame);
    model.append(name, id, dts, frame.payload);
  };
  const moveSource = (wish: 'go' | 'be taken over', firstDts: number): void => {
    if (at === 'attached') {
      bench.begin(firstDts);
      model.beginEpoch();
      dts = firstDts;
      at = 'live';
    } else if (at === 'live' && wish === 'go') {
      stream.detach(source, GONE, 30_000);
      model.close();
      at = 'held';
    } else {
      source = bench.attach();
      model.close();
      at = 'attached';
    }
  };
  const checkFast = (): void => {
    for (const { sink, plan, left } of players) {
      if (left || plan.mode !== 'fast') continue;
      const newest = sink.frames.at(-1);
      if (newest) expect(newest.id).toBe(model.newestGiven()?.id);
      else expect(model.start()).toBe(undefined);
    }
  };

  const writes = (): number => players.reduce((sum, { sink }) => sum + sink.buffers.length, 0);

  for (const step of history.steps) {
    join();
    switch (step.do) {
      case 'append':
        if (at !== 'live') break;
        dts += step.dt;
        append(step.name, step.version, step.size);
        break;
      case 'turn':
        turn();
        if (isWide && history.writeMs === 0) checkFast();
        break;
      case 'pass':
        turn();
        clock.advance(step.ms);
        turn();
        break;
      case 'drain':
        for (const [index, { sink, left }] of players.entries()) {
          if (!left && index % step.every === 0) sink.drain();
        }
        break;
      case 'source':
        moveSource(step.wish, step.firstDts);
        break;
      case 'leave': {
        const player = players[step.which];
        if (!player || player.left) break;
        player.left = true;
        player.sink.player?.leave(GONE);
        break;
      }
    }
  }
  join();
  while (at !== 'live') moveSource('go', 0);
  append(
    history.steps.some((step) => step.do === 'append' && step.name === 'avc key') ? 'avc key' : 'aac sample',
    0,
    0,
  );
  append('aac sample', 0, 0);
  join();
  for (let before = -1; before !== writes(); ) {
    before = writes();
    for (const { sink, left } of players) if (!left) sink.drain();
    turn();
    clock.advance(200);
    turn();
  }

  let allSkips = 0;
  for (const { sink, start, flushed, joinedAt, plan, left } of players) {
    const { starts, next } = readRuns(sink.frames, model);
    expect(sink.openings.length).toBe(starts.length > 0 ? 1 : sink.openings.length);
    const skips = sink.player?.cursor.skips ?? 0;
    allSkips += skips;
    // More skips than gaps: what was left out may be decoder set-up alone, which the player is given anyway.
    expect(skips).toBeGreaterThanOrEqual(starts.length - 1);
    if (isWide || plan.mode === 'fast') expect(skips).toBe(0);
    if (isWide && starts[0] !== undefined) {
      // What was not flushed yet reaches a player that joins others with the next flush, which may bring a newer start.
      if (start !== undefined && start < flushed) expect(starts[0]).toBe(start);
      else if (start !== undefined) expect(starts[0]).toBeGreaterThanOrEqual(start);
      else expect(starts[0]).toBeGreaterThanOrEqual(joinedAt);
    }
    if (left) continue;
    expect(sink.ends).toEqual([]);
    if (model.start() === undefined) continue;
    expect(starts.length).toBeGreaterThan(0);
    expect(model.next(next)).toBe(model.entries.length);
  }
  for (const encoder of encoders) {
    // The shared path: no frame is encoded twice for those who were live already.
    expect(encoder.batches.every((batch) => batch.length > 0)).toBe(true);
  }
  expect(stream.playerCount).toBe(players.filter(({ left }) => !left).length);
  return { skips: allSkips };
}

describe('a player that joins at any instant gets every frame from its start on, once and in order', () => {
  test('with a log that keeps everything', () => {
    fc.assert(
      fc.property(historiesOf(anyNames, WIDE_LOG, eitherMode), (history) => void play(history)),
      { numRuns: 800 },
    );
  });

  test('with a log so small that slow players are overtaken, and start again at a key frame', () => {
    let skips = 0;
    fc.assert(
      fc.property(historiesOf(anyNames, TINY_LOG, eitherMode), (history) => {
        skips += play(history).skips;
      }),
      { numRuns: 800 },
    );
    expect(skips).toBeGreaterThan(20);
  });

  test('with audio alone, where every frame is a start', () => {
    fc.assert(
      fc.property(historiesOf(audioNames, WIDE_LOG, eitherMode), (history) => void play(history)),
      { numRuns: 400 },
    );
  });
});
