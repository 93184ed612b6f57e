import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey, type StreamKey } from '../../../src/base/stream-key.ts';
import {
  MAX_STREAM_ROWS,
  TRAFFIC_WINDOW_MS,
  type TrafficKind,
  TrafficLedger,
} from '../../../src/observe/traffic-ledger.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MINUTE_MS = 60_000;
const SHOW = parseStreamKey('live', 'show');
const PLAYERS: TrafficKind = { protocol: 'http-flv', direction: 'out', region: null };
const TO_EU: TrafficKind = { protocol: 'mesh', direction: 'out', region: 'eu' };

let clock: FakeClock;
let ledger: TrafficLedger;
let here: Set<StreamKey>;

beforeEach(() => {
  clock = new FakeClock();
  here = new Set([SHOW]);
  ledger = new TrafficLedger({ clock, isHere: (key) => here.has(key) });
  ledger.start();
});

function sums() {
  return [...ledger.sums()].map(({ stream, protocol, direction, region, bytes, windowBytes }) => ({
    ...{ stream, kind: `${protocol} ${direction} ${region}`, bytes, windowBytes },
  }));
}

/** A minute passes in which so much is carried. */
function minute(kind: TrafficKind, bytes: number): void {
  ledger.of(SHOW, kind).bytes += bytes;
  clock.advance(MINUTE_MS);
}

describe('a count', () => {
  test('is one for each stream, protocol, direction and region', () => {
    expect(ledger.of(SHOW, PLAYERS)).toBe(ledger.of(SHOW, { ...PLAYERS }));
    const others: TrafficKind[] = [
      { ...PLAYERS, protocol: 'ws-flv' },
      { ...PLAYERS, direction: 'in' },
      { ...PLAYERS, region: '' },
      { ...PLAYERS, region: 'null' },
    ];
    for (const [at, kind] of others.entries()) ledger.of(SHOW, kind).bytes = at + 1;
    ledger.of(parseStreamKey('live', 'else'), PLAYERS).bytes = 9;
    expect(sums().map(({ stream, kind, bytes }) => [stream, kind, bytes])).toEqual([
      [SHOW, 'http-flv out null', 0],
      [SHOW, 'ws-flv out null', 1],
      [SHOW, 'http-flv in null', 2],
      [SHOW, 'http-flv out ', 3],
      [SHOW, 'http-flv out null', 4],
      ['live/else', 'http-flv out null', 9],
    ]);
  });

  test('has the last hour by minutes, the one that is not over among them', () => {
    for (let at = 1; at <= 59; at += 1) minute(PLAYERS, at);
    ledger.of(SHOW, PLAYERS).bytes += 60;
    expect(sums()).toMatchObject([{ bytes: 1_830, windowBytes: 1_830 }]);
    clock.advance(MINUTE_MS);
    expect(sums()).toMatchObject([{ bytes: 1_830, windowBytes: 1_829 }]);
    minute(PLAYERS, 1_000);
    expect(sums()).toMatchObject([{ bytes: 2_830, windowBytes: 2_827 }]);
    clock.advance(TRAFFIC_WINDOW_MS - 2 * MINUTE_MS);
    expect(sums()).toMatchObject([{ bytes: 2_830, windowBytes: 1_000 }]);
    clock.advance(MINUTE_MS);
    expect(sums()).toMatchObject([{ bytes: 2_830, windowBytes: 0 }]);
    ledger.of(SHOW, PLAYERS).bytes += 5;
    expect(sums()).toMatchObject([{ bytes: 2_835, windowBytes: 5 }]);
  });
});

describe('a stream that is gone', () => {
  test('is told until its last byte is an hour old, and counted with the others then', () => {
    minute(PLAYERS, 100);
    ledger.of(SHOW, TO_EU).bytes += 7;
    here.clear();
    clock.advance(60 * MINUTE_MS);
    expect(sums().map(({ stream, bytes, windowBytes }) => [stream, bytes, windowBytes])).toEqual([
      [SHOW, 100, 0],
      [SHOW, 7, 0],
    ]);
    clock.advance(MINUTE_MS);
    expect(sums()).toEqual([
      { stream: null, kind: 'http-flv out null', bytes: 100, windowBytes: 0 },
      { stream: null, kind: 'mesh out eu', bytes: 7, windowBytes: 0 },
    ]);
    ledger.of(SHOW, PLAYERS).bytes += 1;
    expect(sums().map(({ stream, bytes }) => [stream, bytes])).toEqual([
      [SHOW, 1],
      ...[
        [null, 100],
        [null, 7],
      ],
    ]);
  });

  test('stays while it is here, however idle', () => {
    minute(PLAYERS, 100);
    clock.advance(200 * MINUTE_MS);
    expect(sums()).toMatchObject([{ stream: SHOW, bytes: 100 }]);
  });
});

describe('more streams than are told apart', () => {
  const key = (at: number) => parseStreamKey('live', `s${at}`);
  const fill = () => {
    for (let at = 0; at < MAX_STREAM_ROWS; at += 1) ledger.of(key(at), PLAYERS).bytes += 2;
  };

  test('are counted as one, and nothing is lost', () => {
    fill();
    ledger.of(SHOW, PLAYERS).bytes += 50;
    ledger.of(parseStreamKey('live', 'late'), PLAYERS).bytes += 3;
    expect(sums().filter(({ stream }) => stream === null)).toEqual([
      { stream: null, kind: 'http-flv out null', bytes: 53, windowBytes: 53 },
    ]);
    expect(ledger.of(key(5), PLAYERS).bytes, 'who is known has its own').toBe(2);
    expect(ledger.table.entries).toBe(MAX_STREAM_ROWS);
  });

  test('make room sooner: those that are gone and idle go with what they had in the hour', () => {
    fill();
    here = new Set([key(0), key(1)]);
    clock.advance(MINUTE_MS);
    clock.advance(MINUTE_MS);
    expect(ledger.table.entries, 'a minute without a byte').toBe(MAX_STREAM_ROWS);
    ledger.of(key(2), PLAYERS).bytes += 2;
    clock.advance(MINUTE_MS);
    // As many as are over nine tenths, but for those that are here or had bytes.
    expect(ledger.table.entries).toBe(MAX_STREAM_ROWS * 0.9);
    const kept = sums().flatMap(({ stream }) => stream ?? []);
    expect(kept).toEqual(expect.arrayContaining([key(0), key(1), key(2)]));
    const gone = 2 * MAX_STREAM_ROWS * 0.1;
    expect(sums().filter(({ stream }) => stream === null)).toEqual([
      { stream: null, kind: 'http-flv out null', bytes: gone, windowBytes: gone },
    ]);
    const total = sums().reduce((sum, { bytes }) => sum + bytes, 0);
    expect(total).toBe(2 * MAX_STREAM_ROWS + 2);
    clock.advance(60 * MINUTE_MS);
    expect(sums().filter(({ windowBytes }) => windowBytes > 0)).toEqual([]);
  });
});

test('of regions 64 are told apart', () => {
  for (let at = 0; at < 70; at += 1) ledger.of(SHOW, { ...TO_EU, region: `r${at}` }).bytes += 1;
  const kinds = sums().map(({ kind, bytes }) => `${kind} ${bytes}`);
  expect(kinds.length).toBe(65);
  expect(kinds.at(-1)).toBe('mesh out other 6');
});

test('stopped, it has no timer', () => {
  ledger.stop();
  expect(clock.timerCount).toBe(0);
});
