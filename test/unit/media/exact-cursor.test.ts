import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { LoggedFrame } from '../../../src/format/frame.ts';
import { ExactCursor, type Resume } from '../../../src/media/exact-cursor.ts';
import { FrameLog, type LogEntry, type LogLimits } from '../../../src/media/frame-log.ts';
import { MemoryBudget } from '../../../src/media/memory-budget.ts';
import { LogCopy } from '../../support/followers.ts';
import { frameOf, type PayloadName, runOf, WIDE_LOG } from '../../support/media.ts';

const ALL = 1e9;

let log: FrameLog;

beforeEach(() => {
  log = logOf({});
  log.begin(runOf(1));
});

function logOf(limits: Partial<LogLimits>): FrameLog {
  return new FrameLog({ ...WIDE_LOG, ...limits }, new MemoryBudget(2 ** 40));
}

/** Appends a frame whose seq, dts and time are one number. */
function append(name: PayloadName, seq: number, time = seq): void {
  log.append(frameOf(name, seq, seq), time, time);
}

/** GOPs of five frames, 100 ms each, from a seq on. */
function appendGops(from: number, to: number): void {
  for (let seq = from; seq <= to; seq += 1) append((seq - from) % 5 === 0 ? 'avc key' : 'avc delta', seq);
}

/** What a frame is, in short: `*` opens a run, `(…)` is set-up, `<n` follows n. */
function shortly({ frame, run, opens, isSetUp, afterSeq }: LoggedFrame): string {
  const place = `${run.epoch}:${frame.seq}${afterSeq === frame.seq - 1 ? '' : `<${afterSeq}`}`;
  return `${opens ? '*' : ''}${isSetUp ? `(${run.epoch}:${frame.seq})` : place}`;
}

function give(cursor: ExactCursor, mark = log.next - 1, maxBytes = ALL): LoggedFrame[] {
  return [...cursor.place(log, mark), ...cursor.read(log, mark, maxBytes)];
}

function read(cursor: ExactCursor, mark?: number): string[] {
  return give(cursor, mark).map(shortly);
}

describe('a follower without a past', () => {
  test('starts at the newest key frame, with the set-up in effect there sent ahead, in the order of its seq', () => {
    append('aac header', 1);
    append('metadata', 2);
    append('avc header', 3);
    append('avc key', 4);
    append('avc key', 10);
    append('aac sample', 11, 8);
    append('avc delta', 12, 50);
    const [first, ...others] = give(new ExactCursor());
    expect(first?.run).toEqual({ epoch: 1, from: 10, firstDts: 10, newestDts: 12 });
    expect([first, ...others].flatMap((given) => (given ? [shortly(given)] : []))).toEqual([
      '*(1:1)',
      '(1:2)',
      '(1:3)',
      '1:10',
      '1:11',
      '1:12',
    ]);
  });

  test('opens with its first frame where no set-up is in effect', () => {
    append('mp3 sample', 5);
    append('mp3 sample', 6);
    expect(read(new ExactCursor())).toEqual(['*1:5', '1:6']);
  });

  test('opens once, where the log opens too', () => {
    append('avc header', 1);
    append('avc key', 2);
    log.begin(runOf(1, 30));
    append('avc key', 30);
    append('avc delta', 31);
    expect(read(new ExactCursor())).toEqual(['*(1:1)', '1:30', '1:31']);
  });

  test('waits where there is no start, or only one that was not flushed', () => {
    const cursor = new ExactCursor();
    append('avc delta', 1);
    expect(read(cursor)).toEqual([]);
    append('avc key', 2);
    expect(read(cursor, 0)).toEqual([]);
    expect(cursor.position).toBe(undefined);
    expect(read(cursor)).toEqual(['*1:2']);
    expect(cursor.skips).toBe(0);
  });

  test('is given equal set-up and every epoch as they were logged', () => {
    append('avc header', 1);
    append('avc key', 2);
    const cursor = new ExactCursor();
    read(cursor);
    log.append(frameOf('avc header', 1, 3), 3, 3);
    log.begin(runOf(2, 1, 500, 540));
    log.append(frameOf('avc header', 1, 4), 4, 4, true);
    append('avc key', 1);
    const given = give(cursor);
    expect(given).toEqual([log.at(2), log.at(3), log.at(4)]);
    expect(given[1]?.run).toEqual(runOf(2, 1, 500, 540));
  });

  test('that the log has overtaken starts anew, and that is counted', () => {
    log = logOf({ logFrames: 4 });
    log.begin(runOf(1));
    append('avc header', 1);
    append('avc key', 2);
    const cursor = new ExactCursor();
    read(cursor);
    appendGops(3, 13);
    log.trim();
    expect(read(cursor)).toEqual(['*(1:1)', '1:13']);
    expect(cursor.skips).toBe(1);
    expect(cursor.isInStep).toBe(true);
  });
});

describe('a follower that goes on', () => {
  beforeEach(() => {
    append('avc header', 1);
    appendGops(2, 11);
  });

  test.each([
    ['in the midst of the log', { epoch: 1, from: 9 }, ['*1:9', '1:10', '1:11', '1:12']],
    ['at its head', { epoch: 1, from: 11 }, ['*1:11', '1:12']],
    ['with what comes next', { epoch: 1, from: 12 }, ['*1:12']],
    ['with what it has already, since this node is behind', { epoch: 1, from: 40 }, ['*1:12']],
    ['in an epoch that is not here yet', { epoch: 2, from: 3 }, ['*1:12']],
  ] as const)('%s', (_where, resume, expected) => {
    const cursor = new ExactCursor(resume);
    const given = read(cursor);
    expect(cursor.isInStep).toBe(given.length > 0);
    append('avc delta', 12);
    expect([...given, ...read(cursor)]).toEqual(expected);
    expect(cursor.isInStep).toBe(true);
    expect(cursor.skips).toBe(0);
  });

  test('is told the times of what there is to read', () => {
    append('aac sample', 12, 9);
    append('aac header', 99, 9);
    log.begin(runOf(2));
    append('avc key', 500);
    const [first] = give(new ExactCursor({ epoch: 1, from: 8 }));
    expect(first?.run).toEqual({ epoch: 1, from: 8, firstDts: 8, newestDts: 12 });
  });

  test('over a hole that the log records is told of it, from where it goes on', () => {
    append('avc delta', 20);
    append('avc delta', 21);
    for (const from of [12, 15, 20]) {
      const cursor = new ExactCursor({ epoch: 1, from });
      const given = give(cursor);
      expect(given.map(({ frame, opens, afterSeq }) => [frame.seq, opens, afterSeq])).toEqual([
        [20, true, from - 1],
        [21, false, 20],
      ]);
      expect(given[0]?.run.from).toBe(from);
    }
  });

  test('in an earlier epoch reads the rest of it, then the next as it was logged', () => {
    log.begin(runOf(2, 50));
    log.append(frameOf('avc header', 7, 50), 50, 50, true);
    append('avc key', 50);
    expect(read(new ExactCursor({ epoch: 1, from: 11 }))).toEqual(['*1:11', '*(2:7)', '2:50']);
    for (const from of [12, 90]) {
      const cursor = new ExactCursor({ epoch: 1, from });
      expect(read(cursor)).toEqual(['*(2:7)', '2:50']);
    }
    expect(read(new ExactCursor({ epoch: 2, from: 50 }))).toEqual(['*(2:7)', '2:50']);
  });

  test('across a broken timeline is told so', () => {
    log.begin(runOf(1, 50));
    append('avc key', 50);
    append('avc delta', 51);
    expect(read(new ExactCursor({ epoch: 1, from: 11 }))).toEqual(['*1:11', '*1:50', '1:51']);
    expect(read(new ExactCursor({ epoch: 1, from: 30 }))).toEqual(['*1:50', '1:51']);
  });

  test('starts anew where frames that it lacks are gone', () => {
    log = logOf({ logFrames: 4 });
    log.begin(runOf(1));
    append('avc header', 1);
    appendGops(2, 11);
    log.trim();
    expect(log.at(log.oldest)?.frame.seq).toBe(8);
    expect(read(new ExactCursor({ epoch: 1, from: 8 }))).toEqual(['*1:8', '1:9', '1:10', '1:11']);
    const late = new ExactCursor({ epoch: 1, from: 7 });
    expect(read(late)).toEqual([]);
    append('avc key', 12);
    expect(read(late)).toEqual(['*(1:1)', '1:12']);
    expect(late.skips).toBe(0);
  });
});

describe('a follower that lags', () => {
  let cursor: ExactCursor;

  beforeEach(() => {
    append('avc key', 1, 0);
    cursor = new ExactCursor();
    read(cursor);
  });

  test('by up to 1 s is given everything; by more, all but disposable frames', () => {
    append('avc disposable', 2, 1000);
    append('avc delta', 3, 2000);
    expect(read(cursor)).toEqual(['1:2', '1:3']);
    append('avc disposable', 4, 2100);
    append('avc disposable', 5, 2100);
    append('avc delta', 6, 2200);
    append('avc disposable', 7, 3000);
    append('aac sample', 8, 3200);
    expect(read(cursor)).toEqual(['1:6<3', '1:7', '1:8']);
    expect(cursor.skips).toBe(0);
  });

  test('by more than 2.5 s is given no video up to a key frame, but all else', () => {
    append('avc delta', 2, 100);
    append('aac sample', 3, 100);
    append('avc header', 4, 100);
    append('metadata', 5, 100);
    append('data', 6, 100);
    append('avc delta', 7, 2000);
    append('avc key', 8, 2100);
    append('avc delta', 9, 2601);
    expect(read(cursor)).toEqual(['1:3<1', '1:4', '1:5', '1:6', '1:8<6', '1:9']);
  });

  test('goes past a key frame where a later one is in the log', () => {
    append('avc delta', 2, 100);
    append('avc key', 3, 200);
    append('avc delta', 4, 300);
    append('avc key', 5, 400);
    append('avc delta', 6, 2901);
    expect(read(cursor)).toEqual(['1:5<1', '1:6']);
  });

  test('waits for the key frame that is still to come, and is not in step until then', () => {
    append('avc delta', 2, 100);
    append('avc delta', 3, 2700);
    expect(read(cursor)).toEqual([]);
    expect([cursor.position, cursor.isInStep]).toEqual([log.next, false]);
    append('avc delta', 4, 2740);
    append('aac sample', 5, 2740);
    expect(read(cursor)).toEqual(['1:5<1']);
    expect(cursor.isInStep).toBe(false);
    append('avc key', 6, 2780);
    expect(read(cursor)).toEqual(['1:6']);
    expect(cursor.isInStep).toBe(true);
  });

  test('goes past a key frame that it would be late with, too, so that it does not flap', () => {
    append('avc delta', 2, 100);
    append('avc key', 3, 200);
    append('avc delta', 4, 300);
    append('avc key', 5, 1451);
    append('avc delta', 6, 2000);
    append('aac sample', 7, 2700);
    append('avc key', 8, 2700);
    expect(read(cursor)).toEqual(['1:5<1', '1:6', '1:7', '1:8']);
    expect(cursor.leftOut).toEqual({ disposable: 0, video: 3 });
  });

  test('is given the rest of a long group of pictures that it goes on with', () => {
    append('avc delta', 2, 100);
    append('avc key', 3, 200);
    append('avc delta', 4, 300);
    append('avc disposable', 5, 3300);
    expect(read(cursor)).toEqual(['1:3<1', '1:4', '1:5']);
  });

  test('by 8 MiB is given no video either, in no time', () => {
    const appendBytes = (name: PayloadName, seq: number, size: number) =>
      log.append(frameOf(name, seq, 0, size), 0, 0);
    appendBytes('avc disposable', 2, 0);
    appendBytes('avc delta', 3, 0);
    appendBytes('avc delta', 4, 4 * 2 ** 20);
    expect(read(cursor)).toEqual(['1:3<1', '1:4']);
    appendBytes('avc delta', 5, 0);
    appendBytes('aac sample', 6, 0);
    for (let seq = 7; seq < 10; seq += 1) appendBytes('avc delta', seq, 3 * 2 ** 20);
    expect(read(cursor)).toEqual(['1:6<4']);
    expect([cursor.without, cursor.leftOut]).toEqual(['video', { disposable: 1, video: 4 }]);
  });

  test('before it is given its first frame is not slow by that', () => {
    const resumed = new ExactCursor({ epoch: 1, from: 2 });
    expect(read(resumed)).toEqual([]);
    append('avc delta', 2, 100);
    append('avc disposable', 3, 200);
    append('avc delta', 4, 4000);
    expect(read(resumed)).toEqual(['*1:2', '1:3', '1:4']);
  });

  test('behind others who gave it all is slow by that, though it had to catch up with more at its start', () => {
    append('avc delta', 2, 100);
    append('avc delta', 3, 900);
    const joiner = new ExactCursor();
    joiner.place(log, 2);
    expect(joiner.takesAll(log, 2)).toBe(true);
    joiner.follow(log.head ?? failed());
    append('avc disposable', 4, 1000);
    append('avc delta', 5, 2001);
    expect([joiner.takesAll(log, log.next - 1), joiner.without]).toEqual([false, 'disposable']);
  });

  test('that the log overtakes starts anew: what it has to catch up with then is not its slowness', () => {
    append('avc delta', 2, 100);
    append('avc key', 3, 20_000);
    append('avc disposable', 4, 20_100);
    append('avc delta', 5, 24_000);
    log.trim();
    expect(cursor.takesAll(log, log.next - 1)).toBe(false);
    expect(read(cursor)).toEqual(['*1:3', '1:4', '1:5']);
    expect(cursor.skips).toBe(1);
  });

  test('never skips, however late its audio is', () => {
    append('aac sample', 2, 100);
    append('avc key', 3, 200);
    append('aac sample', 4, 60_000);
    expect(read(cursor)).toEqual(['1:2', '1:3', '1:4']);
    expect(cursor.skips).toBe(0);
  });

  test('takes what others are given only while nothing is left out or to be announced', () => {
    const takesAll = () => cursor.takesAll(log, log.next - 1);
    expect(takesAll()).toBe(true);
    append('avc disposable', 2, 100);
    append('avc delta', 3, 1200);
    expect(takesAll()).toBe(false);
    cursor.read(log, 1, ALL);
    expect([cursor.position, takesAll()]).toEqual([2, false]);
    expect(read(cursor)).toEqual(['1:3<1']);
    append('avc delta', 4, 1240);
    expect(takesAll()).toBe(true);
    cursor.follow(log.head ?? failed());
    append('avc disposable', 5, 1280);
    expect(takesAll()).toBe(true);
    expect(read(cursor)).toEqual(['1:5']);
    const resumed = new ExactCursor({ epoch: 1, from: 5 });
    expect(resumed.takesAll(log, log.next - 1)).toBe(false);
    expect(resumed.place(log, log.next - 1)).toEqual([]);
    expect(resumed.takesAll(log, log.next - 1)).toBe(false);
    expect(read(resumed)).toEqual(['*1:5']);
    expect(resumed.takesAll(log, log.next - 1)).toBe(true);
  });

  test('is not in step while a hole is not announced yet; set-up sent ahead announces none', () => {
    append('avc disposable', 2, 100);
    log.append(frameOf('avc header', 1, 3), 1500, 1500, true);
    expect(read(cursor)).toEqual(['(1:1)']);
    expect(cursor.isInStep).toBe(false);
    append('avc delta', 3, 1500);
    expect(read(cursor)).toEqual(['1:3<1']);
    expect(cursor.isInStep).toBe(true);
  });

  test('is told of a run whose first frame was left out', () => {
    append('avc delta', 2, 100);
    log.begin(runOf(2, 5, 10, 20));
    append('avc key', 5, 200);
    append('avc delta', 6, 300);
    append('aac sample', 7, 300);
    append('avc key', 8, 400);
    append('aac sample', 9, 3000);
    const given = give(cursor);
    expect(given.map(shortly)).toEqual(['*2:7<4', '2:8', '2:9']);
    expect(given[0]?.run).toBe(log.run);
  });

  test('is told so by set-up that comes before the frame that announces the hole', () => {
    append('avc delta', 2, 100);
    log.begin(runOf(2, 5));
    append('avc key', 5, 200);
    log.append(frameOf('avc header', 1, 200), 200, 200, true);
    append('avc key', 6, 400);
    append('aac sample', 7, 3000);
    expect(read(cursor)).toEqual(['*(2:1)', '2:6<4', '2:7']);
  });

  test('because it has just begun is given all that there is to catch up with', () => {
    for (let seq = 2; seq <= 50; seq += 1) append('avc disposable', seq, seq * 100);
    for (const joiner of [new ExactCursor(), new ExactCursor({ epoch: 1, from: 2 })]) {
      expect(read(joiner).at(-1)).toBe('1:50');
      append('avc disposable', 51, 5100);
      append('avc delta', 52, 7000);
      expect(read(joiner)).toEqual(['1:52<50']);
      log = logOf({});
      log.begin(runOf(1));
      append('avc key', 1, 0);
      for (let seq = 2; seq <= 50; seq += 1) append('avc disposable', seq, seq * 100);
    }
  });
});

const NAMES: readonly PayloadName[] = [
  'avc key',
  'avc delta',
  'avc delta',
  'avc disposable',
  'aac sample',
  'aac sample',
  'avc header',
  'aac header',
  'metadata',
  'data',
];
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      name: fc.constantFrom(...NAMES),
      hole: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(3)),
      version: fc.nat(2),
      ms: fc.integer({ min: 0, max: 400 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('begin' as const), newEpoch: fc.boolean(), gap: fc.nat(9) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'close' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(3000) }) },
  { weight: 6, arbitrary: fc.constant({ do: 'flush' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('read' as const), reader: fc.nat(5), maxBytes: fc.nat(90) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      resume: fc.option(fc.record({ epochsAgo: fc.nat(2), back: fc.integer({ min: -3, max: 30 }) })),
    }),
  },
);

/** A reader, and what it has made of what it was given. */
class Reader {
  readonly cursor: ExactCursor;
  readonly copy = new LogCopy();
  readonly #resume: Resume | undefined;
  /** The next position that it has to be given; undefined before it started. */
  #next: number | undefined;
  /** Where it must start, if that is known: set at its first read. */
  #expected: { readonly from: number; readonly to: number } | undefined;
  #reads = 0;
  starts = 0;
  leftOut = 0;

  constructor(resume?: Resume) {
    this.cursor = new ExactCursor(resume);
    this.#resume = resume;
  }

  read(logged: readonly LogEntry[], mark: number, maxBytes: number, isPressed: boolean): void {
    this.#reads += 1;
    if (this.#reads === 1 && this.#resume) this.#expected = placeOf(this.#resume, logged);
    const given = give(this.cursor, mark, maxBytes);
    for (const one of given) this.copy.take(one);
    // Only a start makes a run that the log does not have.
    const start = given.filter(({ run }) => !logged.some((entry) => entry.run === run));
    const last = start.at(-1);
    if (last) this.#started(start.slice(0, -1), last, logged, mark);
    for (const one of given.slice(start.length)) this.#wentOn(one, logged, isPressed);
    expect(this.#next ?? 0).toBeLessThanOrEqual(mark + 1);
  }

  #started(
    setUp: readonly LoggedFrame[],
    first: LoggedFrame,
    logged: readonly LogEntry[],
    mark: number,
  ): void {
    this.starts += 1;
    expect(this.starts).toBeLessThanOrEqual(this.cursor.skips + 1);
    const entry = logged.find(({ frame }) => frame === first.frame) ?? failed();
    this.#next = entry.position + 1;
    if (this.starts === 1 && this.#expected && this.cursor.skips === 0) {
      expect(setUp).toEqual([]);
      expect(entry.position).toBeGreaterThanOrEqual(this.#expected.from);
      expect(entry.position).toBeLessThanOrEqual(this.#expected.to);
    } else if (!first.isSetUp && (!this.#resume || this.cursor.skips > 0)) {
      expect(setUp.map(({ frame }) => frame.payload.toString('hex')).sort()).toEqual(
        setUpAt(entry.position, entry.run.epoch, logged),
      );
      const seqs = setUp.map(({ frame }) => frame.seq);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    }
    const shown = logged
      .slice(entry.position, mark + 1)
      .filter(({ run, frame }) => run === entry.run && frame.kind !== 18 && frame.role !== 'header')
      .map(({ frame }) => frame.dts);
    const { firstDts, newestDts } = first.run;
    if (shown.length > 0) expect([firstDts, newestDts]).toEqual([Math.min(...shown), Math.max(...shown)]);
  }

  #wentOn(given: LoggedFrame, logged: readonly LogEntry[], isPressed: boolean): void {
    const from = this.#next ?? failed();
    const at = logged.findIndex(({ frame }, index) => index >= from && frame === given.frame);
    const entry = logged[at] ?? failed();
    this.#checkLeftOut(logged.slice(from, at), isPressed);
    expect([given.isSetUp, given.run]).toEqual([entry.isSetUp, entry.run]);
    this.#next = at + 1;
  }

  #checkLeftOut(entries: readonly LogEntry[], isPressed: boolean): void {
    this.leftOut += entries.length;
    const lost = entries.filter(({ frame }) => !isPressed || frame.kind !== 9 || frame.role === 'header');
    expect(lost.map(shortly)).toEqual([]);
  }

  /** It was given everything there is, but what may be left out. */
  checkEnd(logged: readonly LogEntry[], isPressed: boolean): void {
    if (this.cursor.position === undefined) expect(log.startPosition()).toBe(undefined);
    else expect(this.cursor.position).toBe(logged.length);
    if (this.cursor.position !== undefined && this.#next !== undefined)
      this.#checkLeftOut(logged.slice(this.#next), isPressed);
  }
}

/** Positions that a reader may go on at, where all that it lacks is kept. */
function placeOf(
  { epoch, from }: Resume,
  logged: readonly LogEntry[],
): { from: number; to: number } | undefined {
  const row = logged.filter(({ isSetUp }) => !isSetUp);
  const isBefore = ({ run, frame }: LogEntry) =>
    run.epoch < epoch || (run.epoch === epoch && frame.seq < from);
  const before = row.filter(isBefore).at(-1);
  if (before && before.position >= log.oldest) return { from: before.position + 1, to: before.position + 1 };
  const first = row.find((entry) => !isBefore(entry));
  const isKept = first && first.position >= log.oldest && first.run.epoch === epoch && first.afterSeq < from;
  return isKept ? { from: log.oldest, to: first.position } : undefined;
}

/** The set-up of an epoch that was logged by a position. */
function setUpAt(position: number, epoch: number, logged: readonly LogEntry[]): string[] {
  const newest = new Map<number, string>();
  for (const { run, frame } of logged.slice(0, position + 1)) {
    const isSetUp = frame.role === 'header' || frame.role === 'metadata';
    if (run.epoch === epoch && isSetUp) newest.set(frame.kind, frame.payload.toString('hex'));
  }
  return [...newest.values()].sort();
}

test.each([
  ['is a copy of it, without a frame missing', { isPressed: false, limits: {} }],
  ['starts anew where a small log has overtaken it', { isPressed: false, limits: { logFrames: 12 } }],
  ['lacks video alone under pressure, and says which', { isPressed: true, limits: {} }],
  ['of a small log under pressure does both', { isPressed: true, limits: { logFrames: 12 } }],
] as const)('what a follower is given of a log %s, whatever happens', (_what, { isPressed, limits }) => {
  let starts = 0;
  let leftOut = 0;
  let skips = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 250, size: 'max' }), (steps) => {
      log = logOf(limits);
      log.begin(runOf(1));
      const logged: LogEntry[] = [];
      const readers = [new Reader()];
      let [epoch, seq, time, mark] = [1, 0, 0, -1];
      for (const now of steps) {
        if (now.do === 'append') {
          seq += 1 + now.hole;
          time += isPressed ? now.ms : 0;
          const frame = frameOf(now.name, seq, seq * 10 + now.ms);
          if (now.name.endsWith('header')) frame.payload.writeUInt32BE(now.version, frame.payload.length - 4);
          logged.push(log.append(frame, time, time));
        } else if (now.do === 'begin') {
          if (now.newEpoch) [epoch, seq] = [epoch + 1, 0];
          seq += now.gap;
          log.begin(runOf(epoch, seq + 1));
          if (now.gap % 2 === 1) logged.push(log.append(frameOf('aac header', now.gap, 0), time, time, true));
        } else if (now.do === 'close') log.closeToJoiners();
        else if (now.do === 'pass') time += isPressed ? now.ms : 0;
        else if (now.do === 'flush') {
          mark = log.next - 1;
          log.trim();
        } else if (now.do === 'read') {
          readers[now.reader % readers.length]?.read(logged, mark, now.maxBytes, isPressed);
        } else {
          const { epochsAgo = 0, back = 0 } = now.resume ?? {};
          const resume = { epoch: Math.max(1, epoch - epochsAgo), from: Math.max(1, seq - back) };
          readers.push(new Reader(now.resume ? resume : undefined));
        }
      }
      mark = log.next - 1;
      for (const reader of readers) {
        reader.read(logged, mark, ALL, isPressed);
        reader.checkEnd(logged, isPressed);
        starts += reader.starts;
        leftOut += reader.leftOut;
        skips += reader.cursor.skips;
      }
    }),
    { numRuns: 200 },
  );
  expect(starts).toBeGreaterThan(100);
  if (isPressed) expect(leftOut).toBeGreaterThan(100);
  if ('logFrames' in limits) expect(skips).toBeGreaterThan(100);
});

function failed(): never {
  throw new Error('it was never logged, or given before a start');
}
