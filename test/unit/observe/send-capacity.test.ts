import { expect, test } from 'vitest';
import { SendCapacity } from '../../../src/observe/send-capacity.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FileTree } from '../../support/file-tree.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const GBIT_S = 125_000_000;

function route(
  name: string,
  { to = '00000000', flags = '0003', metric = 0, mask = '00000000' } = {},
): string {
  return `${name}\t${to}\t010200C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0     \n`;
}

function nic(name: string, speed: string): Record<string, string> {
  return { [`sys/class/net/${name}/speed`]: speed, [`sys/class/net/${name}/device/vendor`]: '0x8086\n' };
}

function probe(files: FileTree, capacityMbps?: number, clock = new FakeClock()): SendCapacity {
  return new SendCapacity({ capacityMbps, root: files.root }, clock);
}

test('what the operator says goes before all else', () => {
  using files = new FileTree({
    'proc/net/route': HEAD + route('eth0'),
    ...nic('eth0', '1000\n'),
  });
  expect(probe(files, 80).read(500 * GBIT_S)).toEqual({ bytesPerS: 10_000_000, from: 'config' });
});

test('else it is the speed of the interface that has the default route, of several the one of the lowest metric', () => {
  using files = new FileTree({
    'proc/net/route':
      HEAD +
      route('eth1', { to: '0002000A', mask: '00FFFFFF' }) +
      route('half', { mask: '00000080' }) +
      route('down', { flags: '0002' }) +
      route('wlan0', { metric: 600 }) +
      route('eth0', { metric: 100 }),
    ...Object.assign({}, ...['eth1', 'half', 'down', 'wlan0'].map((name) => nic(name, '10\n'))),
    ...nic('eth0', '2500\n'),
  });
  expect(probe(files).read(0)).toEqual({ bytesPerS: 312_500_000, from: 'interface' });
});

test.each([['-1\n'], ['0\n'], ['fast\n'], ['']])(
  'a speed of %j is none: it is taken for 1 Gbit/s, or for twice what it once sent',
  (speed) => {
    using files = new FileTree({ 'proc/net/route': HEAD + route('eth0'), ...nic('eth0', speed) });
    const capacity = probe(files);
    const read = (sent: number) => capacity.read(sent * GBIT_S).bytesPerS / GBIT_S;
    expect([0, 0.1, 0.5, 0.6, 0.2, 2, 0].map(read)).toEqual([1, 1, 1, 1.2, 1.2, 4, 4]);
    expect(capacity.read(0).from).toBe('measured');
  },
);

test.each([
  ['no file', {}],
  ['no route', { 'proc/net/route': HEAD }],
  ['garbage', { 'proc/net/route': '\0\n\n \t \nx' }],
  ['an interface without files', { 'proc/net/route': HEAD + route('tun0') }],
  [
    'a name that leads elsewhere',
    { 'proc/net/route': HEAD + route('..') + route('a/b'), 'sys/class/speed': '9' },
  ],
])('with %s nobody knows the speed', (_what, files) => {
  using tree = new FileTree(files);
  expect(probe(tree).read(0)).toEqual({ bytesPerS: GBIT_S, from: 'measured' });
});

test('the interface is looked at once a minute', () => {
  using files = new FileTree({ 'proc/net/route': HEAD + route('eth0'), ...nic('eth0', '-1') });
  const clock = new FakeClock();
  const capacity = probe(files, undefined, clock);
  expect(capacity.read(0).from).toBe('measured');
  files.write({ ...nic('eth0', '100') });
  clock.advance(59_999);
  expect(capacity.read(0).from).toBe('measured');
  clock.advance(1);
  expect(capacity.read(0)).toEqual({ bytesPerS: 12_500_000, from: 'interface' });
});

test.each([
  ['of a container', '10000\n', '', 'measured'],
  ['of a tunnel', '10\n', 'INTERFACE=eth0\nIFINDEX=4\n', 'measured'],
  ['that bonds others', '2000\n', 'DEVTYPE=bond\nINTERFACE=eth0\n', 'interface'],
  ['of a VLAN', '1000\n', 'INTERFACE=eth0\nDEVTYPE=vlan\n', 'interface'],
] as const)('an interface %s without a device counts as its type says', (_what, speed, uevent, from) => {
  const folder = 'sys/class/net/eth0';
  using files = new FileTree({
    'proc/net/route': HEAD + route('eth0'),
    [`${folder}/speed`]: speed,
    [`${folder}/uevent`]: uevent,
  });
  expect(probe(files).read(0).from).toBe(from);
});
