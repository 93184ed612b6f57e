import { totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { CpuUse } from '../../../src/observe/cgroup.ts';
import { LoadProbe, usableMemoryBytes } from '../../../src/observe/load-probe.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A machine of four cores, and what happens on it. */
class World {
  readonly clock = new FakeClock();
  cpu: CpuUse = { of: 'host', usedMs: 5_000, cores: 4 };
  memory = { usedBytes: 250, limitBytes: 1_000 };
  loop = { active: 300, idle: 700 };
  traffic = { sentBytes: 1_000_000, receivedBytes: 2_000_000 };
  sums = 0;

  probe(capacityMbps = 800): LoadProbe {
    const probe = new LoadProbe(
      { capacityMbps },
      {
        clock: this.clock,
        machine: { cpu: () => this.cpu, memory: () => this.memory },
        loopTimes: () => this.loop,
        traffic: () => {
          this.sums += 1;
          return this.traffic;
        },
      },
    );
    probe.start();
    return probe;
  }

  /** Lets time pass, with so many of the four cores busy, and so much of the loop's time. */
  pass(ms: number, { cores = 0, loop = 0, sentPerS = 0, receivedPerS = 0 } = {}): void {
    this.clock.advance(ms);
    this.cpu = { ...this.cpu, usedMs: this.cpu.usedMs + ms * cores };
    this.loop = { active: this.loop.active + ms * loop, idle: this.loop.idle + ms * (1 - loop) };
    this.traffic = {
      sentBytes: this.traffic.sentBytes + (sentPerS * ms) / 1000,
      receivedBytes: this.traffic.receivedBytes + (receivedPerS * ms) / 1000,
    };
  }
}

test('what was before it started is no load; memory and capacity are there at once', () => {
  const world = new World();
  const probe = world.probe();
  const load = { cpu: 0, memory: 0.25, loopBusy: 0, loopLagMs: 0, sentBytesPerS: 0, receivedBytesPerS: 0 };
  expect(probe.read()).toEqual({ ...load, capacityBytesPerS: 100_000_000 });
  expect(probe.basis).toEqual({ cpuCores: 4, memoryBytes: 1_000, capacityFrom: 'config' });
  probe.stop();
  probe.stop();
});

test('a change comes through within some seconds, whatever the times between two readings', () => {
  const busy = { cores: 4, loop: 0.5, sentPerS: 10_000, receivedPerS: 2_000 };
  const [often, seldom] = [new World(), new World()];
  const [first, second] = [often.probe(), seldom.probe()];
  for (const cpu of [0.487, 0.736, 0.865]) {
    often.pass(1_000, busy);
    expect(first.read().cpu).toBe(cpu);
  }
  seldom.pass(3_000, busy);
  expect(second.read()).toEqual(first.read());
  const { loopBusy, sentBytesPerS, receivedBytesPerS } = first.read();
  expect({ loopBusy, sentBytesPerS, receivedBytesPerS }).toEqual({
    loopBusy: 0.432,
    sentBytesPerS: 8_647,
    receivedBytesPerS: 1_729,
  });
  often.pass(4_000);
  expect(first.read()).toMatchObject({ cpu: 0.06, loopBusy: 0.03, sentBytesPerS: 601 });
  first.stop();
  second.stop();
});

test('memory is what it is now, and no share is above 1 or below 0', () => {
  const world = new World();
  const probe = world.probe();
  world.memory = { usedBytes: 1_200, limitBytes: 1_000 };
  world.pass(60_000, { cores: 9, loop: 1 });
  expect(probe.read()).toMatchObject({ cpu: 1, memory: 1, loopBusy: 1 });
  world.cpu = { ...world.cpu, usedMs: 0 };
  world.traffic = { sentBytes: 0, receivedBytes: 0 };
  world.memory = { usedBytes: 0, limitBytes: 0 };
  world.pass(60_000);
  expect(probe.read()).toMatchObject({
    cpu: 0,
    memory: 0,
    loopBusy: 0,
    sentBytesPerS: 0,
    receivedBytesPerS: 0,
  });
  probe.stop();
});

test('figures of two groups are not compared: a process was moved, or its limit changed', () => {
  const world = new World();
  const probe = world.probe();
  world.pass(60_000, { cores: 2 });
  expect(probe.read().cpu).toBe(0.5);
  world.cpu = { of: '/sys/fs/cgroup/other', usedMs: 9_000_000, cores: 1 };
  world.pass(1_000, { cores: 0.5 });
  expect(probe.read().cpu).toBe(0.5);
  expect(probe.basis.cpuCores).toBe(1);
  world.pass(60_000, { cores: 0.1 });
  expect(probe.read().cpu).toBe(0.1);
  probe.stop();
});

test('who asks within a span gets the last figures, and no connection is looked at', () => {
  const world = new World();
  const probe = world.probe();
  world.pass(1_000, { sentPerS: 5_000 });
  const load = probe.read();
  world.pass(899, { sentPerS: 5_000 });
  for (let asked = 0; asked < 50; asked += 1) expect(probe.read()).toBe(load);
  expect(world.sums, 'at the start, and once').toBe(2);
  world.pass(1, { sentPerS: 5_000 });
  expect(probe.read()).not.toBe(load);
  expect(world.sums).toBe(3);
  probe.stop();
});

test('the event loop and the machine of this very process are watched', async () => {
  const clock = new FakeClock();
  const probe = new LoadProbe({ capacityMbps: undefined }, { clock, traffic: () => new World().traffic });
  probe.start();
  const untilMs = performance.now() + 60;
  while (performance.now() < untilMs);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(60_000);
  const { loopBusy, memory, capacityBytesPerS } = probe.read();
  expect(loopBusy).toBeGreaterThan(0.5);
  expect(memory).toBeGreaterThan(0);
  expect(memory).toBeLessThan(1);
  expect(capacityBytesPerS).toBeGreaterThan(0);
  probe.stop();
});

test('the lag of the event loop is that of the worst span, until it is taken', async () => {
  const world = new World();
  const probe = world.probe();
  const span = async (blockedMs: number) => {
    await delay(60);
    const untilMs = performance.now() + blockedMs;
    while (performance.now() < untilMs);
    await delay(60);
    world.pass(1_000);
    probe.read();
  };
  await span(200);
  await span(0);
  const lag = probe.takeLag();
  expect(lag.max).toBeGreaterThan(0.1);
  expect(lag.p99).toBeGreaterThan(0.1);
  expect(probe.takeLag()).toEqual({ max: 0, p99: 0 });
  probe.stop();
});

test('memory that may be used is some of the machine', () => {
  expect(usableMemoryBytes()).toBeGreaterThan(2 ** 26);
  expect(usableMemoryBytes()).toBeLessThanOrEqual(totalmem());
});
