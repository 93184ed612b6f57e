// Readers of any bandwidth (design §4, slow players): what they are given can be decoded, lacks nothing that is not
// counted, and is never further behind than the limits and a group of pictures; one that is fast enough lacks nothing.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameKind, type TimedFrame } from '../../../src/format/frame.ts';
import { Cursor, type LogReader } from '../../../src/media/cursor.ts';
import { ExactCursor } from '../../../src/media/exact-cursor.ts';
import { FrameLog, type LogEntry, VIDEO_GONE_MS } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import type { BacklogLimits } from '../../../src/media/shedding.ts';
import { frameOf, type PayloadName, runOf, WIDE_LOG } from '../../support/media.ts';

const AUDIO_MS = 20;
const AUDIO_BYTES = 160;
const VIDEO_MS = 40;
const VIDEO_BYTES = 2000;
const KEY_BYTES = 8000;
/** Bytes per ms of stream. */
const AUDIO_RATE = AUDIO_BYTES / AUDIO_MS;
const MAX_RATE = AUDIO_RATE + KEY_BYTES / VIDEO_MS;

interface Plan {
  /** Frames of each group of pictures, in turn. */
  readonly gops: readonly number[];
  /** Every so many frames one is needed by others; the rest is disposable. */
  readonly deltaEvery: number;
  readonly tracks: 'both' | 'audio' | 'video' | 'video that goes';
  /** Audio is so much older than the video beside it, ms. It may count twice: where a reader starts, and where it is. */
  readonly audioLateMs: number;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  gops: fc.array(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 60, max: 250 })), {
    minLength: 1,
  }),
  deltaEvery: fc.integer({ min: 1, max: 4 }),
  tracks: fc.constantFrom('both', 'both', 'both', 'audio', 'video', 'video that goes'),
  audioLateMs: fc.integer({ min: -300, max: 300 }),
});

/** How long, in whole frames of audio as a feed passes, and how many bytes a reader takes per ms of it. */
interface Step {
  readonly ms: number;
  readonly rate: number;
}

function walk(min: number, max: number): fc.Arbitrary<Step[]> {
  const step = fc.record({
    ms: fc.integer({ min: 1, max: 20 }).map((frames) => frames * AUDIO_MS),
    rate: fc.integer({ min: 0, max: 100 }).map((percent) => min + ((max - min) * percent) / 100),
    lasts: fc.integer({ min: 5, max: 30 }),
  });
  return fc
    .array(step, { minLength: 8, maxLength: 16, size: 'max' })
    .map((steps) =>
      steps.flatMap(({ ms, rate, lasts }) => Array.from({ length: lasts }, () => ({ ms, rate }))),
    );
}

/** A publisher: appends a plan to a log. */
class Feed {
  readonly log: FrameLog;
  readonly logged: LogEntry[] = [];
  /** The longest group of pictures so far. */
  gopMs = 1000;
  gopBytes = 0;
  readonly #plan: Plan;
  #seq = 0;
  #time = 0;
  #gop = 0;
  #frame = 0;

  constructor(plan: Plan, logFrames = WIDE_LOG.logFrames) {
    const wide = { ...WIDE_LOG, logMs: 1e9, gopMs: 1e9, logFrames };
    this.log = new FrameLog(wide, new MemoryBudget(2 ** 40));
    this.log.begin(runOf(1));
    this.#plan = plan;
    if (plan.tracks !== 'audio') this.#append('avc header', 0, 0);
    if (plan.tracks !== 'video') this.#append('aac header', 0, 0);
    this.#append('metadata', 0, 0);
  }

  get time(): number {
    return this.#time;
  }

  get mark(): number {
    return this.log.next - 1;
  }

  pass(ms: number): void {
    const { tracks, audioLateMs } = this.#plan;
    for (const until = this.#time + ms; this.#time < until; this.#time += AUDIO_MS) {
      const hasVideo = tracks !== 'audio' && !(tracks === 'video that goes' && this.#time > 15_000);
      if (hasVideo && this.#time % VIDEO_MS === 0) this.#video();
      if (tracks !== 'video') this.#append('aac sample', this.#time - audioLateMs, AUDIO_BYTES);
      if (this.#time % 2000 === 0) this.#append('data', this.#time, 0);
    }
  }

  #video(): void {
    const { gops, deltaEvery } = this.#plan;
    if (this.#frame === gops[this.#gop % gops.length]) {
      this.#gop += 1;
      this.#frame = 0;
    }
    const isDelta = this.#frame % deltaEvery === 0;
    if (this.#frame === 0) this.#append('avc key', this.#time, KEY_BYTES);
    else this.#append(isDelta ? 'avc delta' : 'avc disposable', this.#time, VIDEO_BYTES);
    this.#frame += 1;
    this.gopMs = Math.max(this.gopMs, this.#frame * VIDEO_MS);
    this.gopBytes = Math.max(this.gopBytes, KEY_BYTES + this.#frame * (VIDEO_BYTES + 2 * AUDIO_BYTES + 50));
  }

  #append(name: PayloadName, time: number, size: number): void {
    this.#seq += 1;
    this.logged.push(
      this.log.append(
        frameOf(name, this.#seq, Math.max(0, time), size),
        Math.max(0, time),
        Math.max(0, time),
      ),
    );
  }
}

/** A reader, held to what it may be given. */
class Reader<F extends TimedFrame> {
  readonly cursor: LogReader<F>;
  readonly #feed: Feed;
  /** Bytes that it would take now. */
  #room = 0;
  /** The next position that it has to be given, or to be seen going without. */
  #next: number | undefined;
  #skips = 0;
  #isDecodable = false;
  #leftOut = { disposable: 0, video: 0 };
  /** The most that it was behind once it had its place. */
  readonly most = { ms: 0, bytes: 0 };
  /** How often it began to go without something. */
  begun = 0;
  sharedFrames = 0;
  ownFrames = 0;

  constructor(cursor: LogReader<F>, feed: Feed) {
    this.cursor = cursor;
    this.#feed = feed;
  }

  /** Reads as much as its bandwidth lets it. */
  pump(bytes: number): void {
    const { log, mark } = this.#feed;
    this.#room = Math.min(this.#room + bytes, Math.max(bytes, KEY_BYTES));
    while (this.#room > 0) {
      const without = this.cursor.without;
      const before = this.#next;
      this.#place(this.cursor.place(log, mark));
      const { ms, bytes } = this.lag;
      this.most.ms = Math.max(this.most.ms, ms);
      this.most.bytes = Math.max(this.most.bytes, bytes);
      if (this.cursor.takesAll(log, mark)) this.#takeShared();
      else this.#read();
      if (without === 'nothing' && this.cursor.without !== 'nothing') this.begun += 1;
      if (this.#next === before) break;
    }
    if (this.#next !== undefined && this.#next > mark) this.#room = 0;
    const { position, leftOut } = this.cursor;
    const { disposable, video } = this.#leftOut;
    expect([position, leftOut.disposable, leftOut.video]).toEqual([this.#next, disposable, video]);
  }

  /** How far it is behind. */
  get lag(): { ms: number; bytes: number } {
    const { logged, mark } = this.#feed;
    const next = this.#next === undefined ? undefined : logged[this.#next];
    const newest = logged[mark];
    if (!next || !newest) return { ms: 0, bytes: 0 };
    return { ms: newest.time - next.time, bytes: newest.totalBytes - next.totalBytes };
  }

  #place(ahead: readonly TimedFrame[]): void {
    const { logged } = this.#feed;
    const { position, skips } = this.cursor;
    const isFirst = this.#next === undefined && position !== undefined;
    if (!isFirst && skips === this.#skips) {
      if (ahead.length > 0) failed();
      return;
    }
    // It starts, with its set-up; a follower is given its first frame at once.
    const given = ahead.filter(({ frame }) => frame.role !== 'header' && frame.role !== 'metadata');
    expect(given.length).toBeLessThanOrEqual(1);
    this.#skips = skips;
    if (position === undefined) {
      this.#next = undefined;
      return;
    }
    const start = logged[position - given.length] ?? failed();
    expect(start.position).toBeGreaterThan(this.#next ?? -1);
    expect(['key', 'sample']).toContain(start.frame.role);
    this.#next = start.position;
    for (const { frame } of given) {
      expect(frame).toBe(start.frame);
      this.#give(start);
    }
  }

  /** Others encode some of what comes next, as they please. */
  #takeShared(): void {
    const { logged, mark } = this.#feed;
    let newest: LogEntry | undefined;
    let bytes = 0;
    for (let at = this.#next ?? failed(); at <= mark && bytes < 5000; at += 1) {
      newest = logged[at] ?? failed();
      bytes += newest.frame.payload.length;
      this.sharedFrames += 1;
      this.#give(newest);
    }
    if (newest) this.cursor.follow(newest);
  }

  #read(): void {
    const { log, logged, mark } = this.#feed;
    for (const { frame } of this.cursor.read(log, mark, 1)) {
      let at = this.#next ?? failed();
      while (at <= mark && logged[at]?.frame !== frame) at += 1;
      this.#leaveOut(at);
      this.ownFrames += 1;
      this.#give(logged[at] ?? failed());
    }
    if (this.cursor.position !== undefined) this.#leaveOut(this.cursor.position);
  }

  #give({ position, frame }: LogEntry): void {
    if (position !== this.#next) failed();
    if (frame.role === 'key') this.#isDecodable = true;
    if ((frame.role === 'delta' || frame.role === 'disposable') && !this.#isDecodable) failed();
    this.#next = position + 1;
    this.#room -= frame.payload.length;
  }

  #leaveOut(to: number): void {
    for (let at = this.#next ?? failed(); at < to; at += 1) {
      const { kind, role } = this.#feed.logged[at]?.frame ?? failed();
      if (kind !== FrameKind.video || role === 'header') failed();
      if (role === 'disposable') this.#leftOut.disposable += 1;
      else {
        this.#leftOut.video += 1;
        this.#isDecodable = false;
      }
    }
    this.#next = Math.max(to, this.#next ?? 0);
  }
}

const WIDE = 1e12;
const limitsOf = {
  time: { maxBacklogMs: 5000, maxBacklogBytes: WIDE },
  bytes: { maxBacklogMs: WIDE, maxBacklogBytes: 200_000 },
  both: { maxBacklogMs: 5000, maxBacklogBytes: 200_000 },
};
const limits = fc.constantFrom(limitsOf.time, limitsOf.bytes, limitsOf.both);
const audioAlone = plan.map((plan) => ({ ...plan, tracks: 'audio' as const }));
const joinMs = fc.nat(6000);
const RUNS = { numRuns: 50 };

/**
 * How often a reader may use up its limits on top of a group of pictures: where video goes, the newest key frame stays
 * the newest. One that comes to it late, by its limits already, starts anew there.
 */
function startsAnew({ tracks }: Plan): number {
  return tracks === 'video that goes' ? 2 : 1;
}

test('a player that takes more than the audio is behind by its limits and a group of pictures at most', () => {
  let leftOut = 0;
  fc.assert(
    fc.property(plan, walk(AUDIO_RATE * 1.3, MAX_RATE / 2), joinMs, (plan, steps, joinMs) => {
      const feed = new Feed(plan);
      feed.pass(joinMs);
      const reader = new Reader(new Cursor(limitsOf.time), feed);
      for (const { ms, rate } of steps) {
        feed.pass(ms);
        reader.pump(ms * rate);
        const frameMs = KEY_BYTES / AUDIO_RATE / 1.3;
        const slackMs = frameMs + ms + 2 * Math.abs(plan.audioLateMs);
        const limitMs = limitsOf.time.maxBacklogMs * startsAnew(plan);
        expect(reader.lag.ms).toBeLessThanOrEqual(limitMs + feed.gopMs + slackMs);
      }
      leftOut += reader.cursor.leftOut.video;
    }),
    RUNS,
  );
  expect(leftOut).toBeGreaterThan(200);
});

test('a player of any bandwidth is behind by twice its limits and a group of pictures at most', () => {
  let skips = 0;
  fc.assert(
    fc.property(plan, limits, walk(0, AUDIO_RATE * 2), joinMs, (plan, limits, steps, joinMs) => {
      const feed = new Feed(plan);
      feed.pass(joinMs);
      const reader = new Reader(new Cursor(limits), feed);
      for (const { ms, rate } of steps) {
        feed.pass(ms);
        reader.pump(ms * rate);
        const { most } = reader;
        // For as long as the log waits for video that is gone, the newest start gets older.
        const goneMs = plan.tracks === 'video that goes' ? VIDEO_GONE_MS : 0;
        const slackMs = goneMs + 2 * Math.abs(plan.audioLateMs);
        expect(most.ms).toBeLessThanOrEqual(2 * limits.maxBacklogMs + feed.gopMs + slackMs);
        expect(most.bytes).toBeLessThanOrEqual(2 * limits.maxBacklogBytes + feed.gopBytes);
      }
      skips += reader.cursor.skips;
    }),
    RUNS,
  );
  expect(skips).toBeGreaterThan(4);
});

test('a player of audio alone is behind by its limits and a second at most', () => {
  let skips = 0;
  fc.assert(
    fc.property(audioAlone, walk(0, AUDIO_RATE * 1.5), joinMs, (plan, steps, joinMs) => {
      const feed = new Feed(plan);
      feed.pass(joinMs);
      const reader = new Reader(new Cursor(limitsOf.time), feed);
      for (const { ms, rate } of steps) {
        feed.pass(ms);
        reader.pump(ms * rate);
        const slackMs = 2 * Math.abs(plan.audioLateMs);
        expect(reader.most.ms).toBeLessThanOrEqual(limitsOf.time.maxBacklogMs + 1000 + slackMs);
      }
      skips += reader.cursor.skips;
    }),
    RUNS,
  );
  expect(skips).toBeGreaterThan(4);
});

test('a player that is fast enough but for pauses of less than half its limits lacks nothing, wherever it joins', () => {
  const pauses = fc.array(fc.integer({ min: 20, max: 2400 }), { minLength: 10, maxLength: 30, size: 'max' });
  let frames = 0;
  fc.assert(
    fc.property(plan, pauses, joinMs, (plan, pauses, joinMs) => {
      const feed = new Feed({ ...plan, audioLateMs: plan.audioLateMs / 10 });
      feed.pass(joinMs);
      const reader = new Reader(new Cursor(limitsOf.time), feed);
      for (const ms of pauses) {
        feed.pass(ms);
        reader.pump(WIDE);
        expect(reader.lag.ms).toBe(0);
      }
      expect(reader.cursor).toMatchObject({ skips: 0, leftOut: { disposable: 0, video: 0 } });
      expect([reader.begun, reader.ownFrames]).toEqual([0, 0]);
      frames += reader.sharedFrames;
    }),
    RUNS,
  );
  expect(frames).toBeGreaterThan(2_000);
});

test('a player does not flap: it begins to go without frames once in a quarter of its limits at most', () => {
  let begun = 0;
  fc.assert(
    fc.property(plan, limits, walk(0, MAX_RATE), joinMs, (plan, limits, steps, joinMs) => {
      const feed = new Feed(plan);
      feed.pass(joinMs);
      const reader = new Reader(new Cursor(limits), feed);
      for (const { ms, rate } of steps) {
        feed.pass(ms);
        reader.pump(ms * rate);
      }
      const quarters =
        feed.time / (limits.maxBacklogMs / 4) +
        (feed.logged.at(-1)?.totalBytes ?? 0) / (limits.maxBacklogBytes / 4);
      expect(reader.begun).toBeLessThanOrEqual(1 + quarters);
      begun += reader.begun;
    }),
    RUNS,
  );
  expect(begun).toBeGreaterThan(4);
});

test.each([
  ['player', (limits: BacklogLimits) => new Cursor(limits)],
  ['follower', () => new ExactCursor()],
] as const)('a %s of any bandwidth that a small log overtakes starts at a start', (_, cursorOf) => {
  let skips = 0;
  fc.assert(
    fc.property(plan, limits, walk(0, MAX_RATE), joinMs, (plan, limits, steps, joinMs) => {
      const feed = new Feed(plan, 200);
      feed.pass(joinMs);
      const reader = new Reader<TimedFrame>(cursorOf(limits), feed);
      for (const { ms, rate } of steps) {
        feed.pass(ms);
        reader.pump(ms * rate);
        feed.log.trim();
      }
      skips += reader.cursor.skips;
    }),
    RUNS,
  );
  expect(skips).toBeGreaterThan(4);
});

test('a follower of any bandwidth lacks video alone, and is behind by 2.5 s and a group of pictures at most if it takes more than the audio', () => {
  let leftOut = 0;
  fc.assert(
    fc.property(plan, walk(AUDIO_RATE * 1.3, MAX_RATE / 2), joinMs, (plan, steps, joinMs) => {
      const feed = new Feed(plan);
      feed.pass(joinMs);
      const reader = new Reader<TimedFrame>(new ExactCursor(), feed);
      for (const { ms, rate } of steps) {
        feed.pass(ms);
        reader.pump(ms * rate);
        const frameMs = KEY_BYTES / AUDIO_RATE / 1.3;
        const slackMs = frameMs + ms + 2 * Math.abs(plan.audioLateMs);
        const limitMs = 2500 * startsAnew(plan);
        expect(reader.lag.ms).toBeLessThanOrEqual(limitMs + feed.gopMs + slackMs);
      }
      expect(reader.cursor.skips).toBe(0);
      leftOut += reader.cursor.leftOut.video;
    }),
    RUNS,
  );
  expect(leftOut).toBeGreaterThan(200);
});

function failed(): never {
  throw new Error('it was never logged, was given out of turn, or can not be decoded');
}
