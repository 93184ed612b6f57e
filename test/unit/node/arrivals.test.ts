import { expect, test } from 'vitest';
import { type ArrivalLimits, Arrivals } from '../../../src/node/arrivals.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const LIMITS: ArrivalLimits = {
  connectionsPerSecond: 10,
  connectionsPerSecondPerAddress: 2,
  reservedFiles: 100,
};
const PLENTY = { limit: 1_024, left: 900 };

function arrivals(
  options: { limits?: Partial<ArrivalLimits>; files?: typeof PLENTY; clock?: FakeClock } = {},
) {
  const { limits, files = PLENTY, clock = new FakeClock() } = options;
  return new Arrivals({ clock, files, limits: () => ({ ...LIMITS, ...limits }) });
}

const codes = (door: Arrivals, from: readonly string[]) =>
  from.map((address) => door.refusal('rtmp', address)?.code);

test('an address may come five times its rate at once, and then at its rate; others are not held up', () => {
  const clock = new FakeClock();
  const door = arrivals({ clock });
  const twelve = codes(door, new Array<string>(12).fill('10.0.0.1'));
  expect(twelve).toEqual([
    ...new Array<undefined>(10).fill(undefined),
    ...['limits.connection-rate-of-address', 'limits.connection-rate-of-address'],
  ]);
  expect(codes(door, ['10.0.0.2'])).toEqual([undefined]);
  clock.advance(500);
  expect(codes(door, ['10.0.0.1', '10.0.0.1'])).toEqual([undefined, 'limits.connection-rate-of-address']);
});

test('what an address is refused costs the rest nothing', () => {
  const door = arrivals({ limits: { connectionsPerSecondPerAddress: 1 } });
  codes(door, new Array<string>(10_000).fill('10.0.0.1'));
  expect(
    codes(
      door,
      Array.from({ length: 45 }, (_, at) => `10.0.1.${at}`),
    ).filter((code) => code),
  ).toEqual([]);
  expect(codes(door, ['10.0.2.1'])).toEqual(['limits.connection-rate']);
});

test('a host that has a network of its own is one address', () => {
  const door = arrivals();
  const from = Array.from({ length: 11 }, (_, at) => `2001:db8:1:1::${at}`);
  expect(codes(door, from).at(-1)).toBe('limits.connection-rate-of-address');
  expect(codes(door, ['2001:db8:1:2::1'])).toEqual([undefined]);
});

test('the last files are not for media, and of those the last half not for HTTP', () => {
  const files = { limit: 1_024, left: 101 };
  const door = arrivals({ files });
  const seen = () => [
    door.refusal('rtmp', '10.0.0.1')?.code,
    door.refusal('http', '10.0.0.2')?.code,
    door.lacksFiles('rtmp'),
  ];
  expect(seen()).toEqual([undefined, undefined, false]);
  files.left = 100;
  expect(seen()).toEqual(['limits.files', undefined, true]);
  expect(() => door.checkMedia()).toThrow(expect.objectContaining({ code: 'limits.files' }));
  files.left = 50;
  expect(seen()).toEqual(['limits.files', 'limits.files', true]);
});

test('of few files a quarter is kept; where nobody says how many there are, none', () => {
  const files = { limit: 40, left: 11 };
  const door = arrivals({ files });
  expect(door.lacksFiles('rtmp')).toBe(false);
  files.left = 10;
  expect(door.lacksFiles('rtmp')).toBe(true);
  const unknown = new Arrivals({
    clock: new FakeClock(),
    limits: () => LIMITS,
    files: { limit: undefined, left: Number.POSITIVE_INFINITY },
  });
  expect(unknown.lacksFiles('http')).toBe(false);
});

test('a flood from very many addresses keeps its table within the bound', () => {
  const door = arrivals({ limits: { connectionsPerSecond: 1_000_000 } });
  for (let at = 0; at < 20_000; at += 1)
    door.refusal('rtmp', `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`);
  expect(door.tables).toContainEqual({ table: 'arrival_addresses', entries: 16_385, limit: 16_385 });
});
