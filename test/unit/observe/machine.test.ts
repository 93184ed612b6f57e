import { cpus, totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { Machine } from '../../../src/observe/machine.ts';
import { FileTree } from '../../support/file-tree.ts';

const HOST = {
  // user nice system idle iowait irq softirq steal guest guest_nice
  'proc/stat': 'cpu  100 1 20 700 50 3 4 5 90 9\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5 cpu9\n',
  'proc/meminfo': 'MemTotal:     1000 kB\nMemFree:       100 kB\nMemAvailable:  250 kB\n',
  'proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  'proc/self/cgroup': '0::/\n',
};
const HOST_CPU = { of: 'host', usedMs: 1_330, cores: 2 };

function limits(cpu: string, memoryBytes: number): Record<string, string> {
  return {
    'sys/fs/cgroup/cpu.max': cpu,
    'sys/fs/cgroup/cpu.stat': 'usage_usec 9000\n',
    'sys/fs/cgroup/memory.max': String(memoryBytes),
    'sys/fs/cgroup/memory.current': '5000',
  };
}

test('without limits it is the host: time that was not idle, memory that is not available', () => {
  using files = new FileTree(HOST);
  const machine = new Machine(files.root);
  expect(machine.cpu()).toEqual(HOST_CPU);
  expect(machine.memory()).toEqual({ usedBytes: 750 * 1024, limitBytes: 1000 * 1024 });
});

test('with tighter limits it is the container, also once they are set on a running process', () => {
  using files = new FileTree(HOST);
  const machine = new Machine(files.root);
  files.write(limits('150000 100000', 10_000));
  expect(machine.cpu()).toMatchObject({ usedMs: 9, cores: 1.5 });
  expect(machine.memory()).toEqual({ usedBytes: 5_000, limitBytes: 10_000 });
});

test('a limit that the host is tighter than is none', () => {
  using files = new FileTree({ ...HOST, ...limits('200000 100000', 1000 * 1024) });
  const machine = new Machine(files.root);
  expect(machine.cpu()).toEqual(HOST_CPU);
  expect(machine.memory().usedBytes).toBe(750 * 1024);
});

test.each([{}, { 'proc/stat': 'cpu \ncpu0\n', 'proc/meminfo': 'MemTotal: none\n' }])(
  'where /proc says nothing, Node is asked',
  (files) => {
    using tree = new FileTree(files);
    const machine = new Machine(tree.root);
    const { usedMs, cores } = machine.cpu();
    expect(cores).toBe(cpus().length);
    expect(usedMs).toBeGreaterThan(0);
    const { usedBytes, limitBytes } = machine.memory();
    expect(limitBytes).toBe(totalmem());
    expect(usedBytes).toBeGreaterThan(0);
    expect(usedBytes).toBeLessThan(limitBytes);
  },
);

test('the real machine has figures', () => {
  const machine = new Machine();
  const { usedMs, cores } = machine.cpu();
  expect(usedMs).toBeGreaterThan(0);
  expect(cores).toBeGreaterThan(0);
  const { usedBytes, limitBytes } = machine.memory();
  expect(usedBytes).toBeGreaterThan(0);
  expect(usedBytes).toBeLessThan(limitBytes);
});
