// What goes over a link in a second.
import { expect, test } from 'vitest';
import { Throughput } from '../../../src/mesh/throughput.ts';

test('it nears what goes each way within some seconds, and follows a change', () => {
  const throughput = new Throughput(1_000);
  let [nowMs, bytesIn, bytesOut] = [1_000, 0, 0];
  const pass = (ms: number, inPerS: number, outPerS: number) => {
    for (let n = 0; n < ms / 200; n += 1) {
      nowMs += 200;
      bytesIn += inPerS / 5;
      bytesOut += outPerS / 5;
      throughput.take(nowMs, bytesIn, bytesOut);
    }
  };
  pass(3_000, 1_000_000, 5_000);
  expect(throughput.receivedBytesPerS).toBeCloseTo(1_000_000 * (1 - Math.exp(-1)), 0);
  pass(12_000, 1_000_000, 5_000);
  expect(throughput.receivedBytesPerS).toBeGreaterThan(990_000);
  expect(throughput.sentBytesPerS).toBeGreaterThan(4_950);
  pass(9_000, 0, 0);
  expect(throughput.receivedBytesPerS).toBeLessThan(60_000);
});

test('two looks at one moment are one', () => {
  const throughput = new Throughput(0);
  throughput.take(200, 100, 100);
  const before = throughput.receivedBytesPerS;
  throughput.take(200, 5_000, 5_000);
  expect(throughput.receivedBytesPerS).toBe(before);
});
