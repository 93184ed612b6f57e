// Time that passes for peers only while this process runs.
import { expect, test } from 'vitest';
import { OwnTime, PULSE_MS } from '../../../src/mesh/own-time.ts';

/** Pulses and polls, on time, up to `untilMs`. */
function run(time: OwnTime, fromMs: number, untilMs: number): void {
  for (let nowMs = fromMs + PULSE_MS; nowMs <= untilMs; nowMs += PULSE_MS) {
    time.pulse(nowMs);
    time.polled();
  }
}

test('time passes while pulses come', () => {
  const time = new OwnTime(1_000);
  run(time, 1_000, 2_000);
  expect(time.at(2_010) - 1_000).toBe(1_010);
  expect(time.seenMs(2_010) - 1_000).toBe(1_010);
  expect(time.stoodMs(2_010)).toBe(0);
});

test('a stall costs a peer no more than the rest of a pulse', () => {
  const time = new OwnTime(0);
  run(time, 0, 1_000);
  const heardMs = time.at(1_000);
  // Nothing pulses for 600 ms; whoever asks before, during and after is told the same.
  expect(time.at(1_600) - heardMs).toBe(PULSE_MS);
  time.pulse(1_600);
  expect(time.at(1_600) - heardMs).toBe(PULSE_MS);
  expect(time.stoodMs(1_600)).toBe(600 - PULSE_MS);
  time.polled();
  expect(time.at(1_640) - heardMs).toBe(PULSE_MS + 40);
});

test('what was not read yet is not missing', () => {
  const time = new OwnTime(0);
  run(time, 0, 1_000);
  const seenMs = time.seenMs(1_000);
  expect(time.seenMs(1_600), 'asked by a timer that fires before the pulse').toBe(seenMs);
  time.pulse(1_600);
  expect(time.seenMs(1_601), 'the sockets have not been read').toBe(seenMs);
  time.polled();
  expect(time.seenMs(1_601)).toBe(seenMs + PULSE_MS + 1);
});

test('a peer that is silent is found out by a process that stalls now and then, too', () => {
  const time = new OwnTime(0);
  const heardMs = time.at(0);
  let nowMs = 0;
  for (let n = 0; n < 10; n += 1) {
    nowMs += n % 2 ? PULSE_MS : 4 * PULSE_MS;
    time.pulse(nowMs);
    time.polled();
  }
  expect(time.seenMs(nowMs) - heardMs).toBe(10 * PULSE_MS);
});
