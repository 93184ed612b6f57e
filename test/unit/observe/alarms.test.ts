import { beforeEach, describe, expect, test } from 'vitest';
import type { StreamSigns } from '../../../src/observe/alarm-rules.ts';
import { AlarmBook, MAX_ENDED } from '../../../src/observe/alarms.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

const LIMITS = { stalledMs: 2_000, noKeyFrameMs: 15_000, bitrateShare: 0.4, hopMs: 500 };
const FINE: StreamSigns = {
  ...{ parent: undefined, self: 'a', silentMs: 20, usualIntervalMs: 20, keyAgeMs: 900 },
  ...{ bitsPerS: 1e6, longestGapMs: 40, usualBitsPerS: 1e6, hopDelayMs: undefined },
};
const PULLED: StreamSigns = { ...FINE, parent: { node: 'p', has: 'nothing' }, keyAgeMs: undefined };

let clock: FakeClock;
let log: FakeLog;
let book: AlarmBook;
let alarms: ReturnType<AlarmBook['watch']>;
beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  book = new AlarmBook(LIMITS, { clock, log });
  alarms = book.watch('live/show');
});

/** Looks twice a second. */
function look(signs: StreamSigns, seconds = 0.5): void {
  for (let left = seconds * 2; left > 0; left -= 1) {
    clock.advance(500);
    alarms.look(signs, clock.now());
  }
}
const kinds = () =>
  book.list().map(({ kind, untilWallMs }) => (untilWallMs === undefined ? kind : `${kind} over`));

describe('stalled', () => {
  test('begins when no frame came for longer than it may, and ends a second after frames come again', () => {
    look({ ...FINE, silentMs: 2_000 });
    expect(kinds()).toEqual([]);
    look({ ...FINE, silentMs: 2_300 });
    expect(kinds()).toEqual(['stalled']);
    look({ ...FINE, silentMs: 6_000 });
    look(FINE, 1);
    expect(kinds()).toEqual(['stalled']);
    look(FINE);
    expect(kinds()).toEqual(['stalled over']);
    expect(log.lines).toEqual([
      {
        level: 'warn',
        event: 'alarm.start',
        fields: {
          ...{ kind: 'stalled', stream: 'live/show', hop: undefined, value: 2_300, limit: 2_000, unit: 'ms' },
          detail: 'no frame came from its publisher for 2.3 s',
        },
      },
      {
        level: 'info',
        event: 'alarm.end',
        fields: {
          ...{ kind: 'stalled', stream: 'live/show', hop: undefined, value: 6_000, limit: 2_000, unit: 'ms' },
          durationMs: 2_000,
        },
      },
    ]);
  });

  test('is one alarm although a frame comes now and then', () => {
    for (let round = 0; round < 5; round += 1) {
      look({ ...FINE, silentMs: 2_200 });
      look(FINE);
    }
    expect(kinds()).toEqual(['stalled']);
  });

  test('is not what a stream of few frames is in its usual pauses', () => {
    look({ ...FINE, silentMs: 2_900, usualIntervalMs: 1_000 });
    expect(kinds()).toEqual([]);
    look({ ...FINE, silentMs: 3_100, usualIntervalMs: 1_000 });
    expect(kinds()).toEqual(['stalled']);
  });

  test('names the hop where the parent has more, or is not to be heard; what the parent lacks is not its matter', () => {
    look({ ...PULLED, silentMs: 5_000 });
    expect(kinds()).toEqual([]);
    look({ ...PULLED, silentMs: 5_000, parent: { node: 'p', has: 'more' } });
    expect(book.list()).toMatchObject([
      {
        hop: { from: 'p', to: 'a' },
        detail: 'no frame came from p to a for 5.0 s, although p has more of it',
      },
    ]);
    expect(log.of('alarm.start')).toMatchObject([{ hop: 'p>a' }]);
    look(PULLED, 1.5);
    expect(kinds()).toEqual(['stalled over']);
    look({ ...PULLED, silentMs: 5_000, parent: { node: 'p', has: 'unknown' } });
    expect(kinds()).toEqual(['stalled', 'stalled over']);
  });

  test('ends at one hop when another stands still', () => {
    look({ ...PULLED, silentMs: 5_000, parent: { node: 'p', has: 'more' } });
    look({ ...PULLED, silentMs: 5_500, parent: { node: 'q', has: 'more' } });
    expect(book.list().map(({ hop, untilWallMs }) => [hop?.from, untilWallMs === undefined])).toEqual([
      ['q', true],
      ['p', false],
    ]);
  });
});

describe('no key frame', () => {
  test('is the matter of the origin, of a stream with video that is not stalled', () => {
    look({ ...PULLED, keyAgeMs: 20_000 });
    look({ ...FINE, keyAgeMs: undefined });
    look({ ...FINE, keyAgeMs: 20_000, silentMs: 1_200 });
    look({ ...FINE, keyAgeMs: 15_000 });
    expect(kinds()).toEqual([]);
    look({ ...FINE, keyAgeMs: 15_400 });
    expect(kinds()).toEqual(['no-key-frame']);
    look({ ...FINE, keyAgeMs: 300 });
    expect(kinds()).toEqual(['no-key-frame over']);
  });
});

describe('a collapsed bitrate', () => {
  test('is far below what it was, at the origin', () => {
    look({ ...PULLED, bitsPerS: 1e5 });
    look({ ...FINE, bitsPerS: 1e5, usualBitsPerS: Number.NaN });
    look({ ...FINE, bitsPerS: 4.1e5 });
    expect(kinds()).toEqual([]);
    look({ ...FINE, bitsPerS: 3.9e5 });
    expect(book.list()).toMatchObject([
      { kind: 'bitrate-collapsed', value: 3.9e5, limit: 4e5, unit: 'bit/s' },
    ]);
    expect(log.of('alarm.start')).toMatchObject([
      { detail: 'its publisher sends 390 kbit/s; in the minute before it was 1000' },
    ]);
  });

  test('stays so until it is back, although what is low becomes usual; and its worst is kept', () => {
    look({ ...FINE, bitsPerS: 3e5 });
    look({ ...FINE, bitsPerS: 2e5, usualBitsPerS: 2e5 }, 60);
    look({ ...FINE, bitsPerS: 4.5e5, usualBitsPerS: 2e5 }, 10);
    expect(kinds()).toEqual(['bitrate-collapsed']);
    look({ ...FINE, bitsPerS: 6e5, usualBitsPerS: 2e5 }, 2.5);
    expect(book.list()).toMatchObject([{ value: 2e5, limit: 4e5, untilWallMs: expect.any(Number) }]);
  });

  test('is none while a stall is in the seconds that it is of', () => {
    look({ ...FINE, silentMs: 2_300 });
    look({ ...FINE, bitsPerS: 1e5, longestGapMs: 2_100 }, 5);
    expect(kinds()).toEqual(['stalled over']);
    look({ ...FINE, bitsPerS: 1e5, longestGapMs: 1_900 });
    expect(kinds()).toEqual(['bitrate-collapsed', 'stalled over']);
  });

  test('raises nothing where its share is 0', () => {
    book = new AlarmBook({ ...LIMITS, bitrateShare: 0 }, { clock, log });
    alarms = book.watch('live/show');
    look({ ...FINE, bitsPerS: 1 }, 10);
    expect(kinds()).toEqual([]);
  });
});

describe('a slow hop', () => {
  test('is slow for two seconds before it counts, and well for two before that ends', () => {
    look({ ...PULLED, hopDelayMs: 700 }, 2);
    look({ ...PULLED, hopDelayMs: 490 });
    look({ ...PULLED, hopDelayMs: 700 }, 2);
    expect(kinds()).toEqual([]);
    look({ ...PULLED, hopDelayMs: 800 });
    expect(book.list()).toMatchObject([
      { kind: 'hop-slow', hop: { from: 'p', to: 'a' }, value: 800, limit: 500 },
    ]);
    look({ ...PULLED, hopDelayMs: 450 }, 10);
    look({ ...PULLED, hopDelayMs: 300 }, 2);
    expect(kinds()).toEqual(['hop-slow']);
    look({ ...PULLED, hopDelayMs: 300 });
    expect(kinds()).toEqual(['hop-slow over']);
  });
});

describe('the book', () => {
  test('counts by kind, ends all of a stream at once, and lists one stream alone', () => {
    const other = book.watch('live/other');
    other.look({ ...FINE, silentMs: 3_000 }, clock.now());
    look({ ...FINE, silentMs: 3_000 });
    look({ ...FINE, bitsPerS: 1, keyAgeMs: 60_000 });
    expect([
      book.count,
      book.countOf('stalled'),
      book.countOf('no-key-frame'),
      book.countOf('hop-slow'),
    ]).toEqual([4, 2, 1, 0]);
    alarms.endAll();
    alarms.endAll();
    expect([book.count, book.countOf('stalled'), book.raisedOf('stalled')]).toEqual([1, 1, 2]);
    expect(book.list('live/other').map(({ kind }) => kind)).toEqual(['stalled']);
    expect(book.list().map(({ id }) => id)).toEqual([1, 4, 3, 2]);
  });

  test('keeps the last of those that ended', () => {
    for (let round = 0; round < MAX_ENDED + 20; round += 1) {
      look({ ...FINE, silentMs: 3_000 });
      alarms.endAll();
    }
    const ids = book.list().map(({ id }) => id);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([MAX_ENDED, MAX_ENDED + 20, 21]);
  });
});
