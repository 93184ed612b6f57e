import { expect, test } from 'vitest';
import { Cgroup } from '../../../src/observe/cgroup.ts';
import { FileTree } from '../../support/file-tree.ts';

const V2 = '30 23 0:26 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';
const UNLIMITED = '9223372036854771712\n';

function v1Mounts(group = '/'): string {
  return [
    `33 31 0:29 ${group} /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:10 - cgroup cgroup rw,cpu,cpuacct`,
    `34 31 0:30 ${group} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`,
    `35 31 0:37 ${group} /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n`,
  ].join('\n');
}

/** What the mounts show below `folder`; `group` is this process's in all hierarchies. */
function tree(mounts: string, groups: string, folder: string, files: Record<string, string>): FileTree {
  const shown = Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text] as const);
  const proc = {
    'proc/self/mountinfo': `1 0 8:1 / / rw - ext4 /dev/vda rw\n${mounts}`,
    'proc/self/cgroup': groups,
  };
  return new FileTree({ ...proc, ...Object.fromEntries(shown) });
}

function v2Tree(group: string, files: Record<string, string>): FileTree {
  return tree(V2, `0::${group}\n`, 'sys/fs/cgroup', files);
}

function v1Tree(group: string, files: Record<string, string>, mounts = v1Mounts()): FileTree {
  const groups = `9:name=systemd:${group}\n4:memory:${group}\n1:cpu,cpuacct:${group}\n0::/\n`;
  return tree(mounts, groups, 'sys/fs/cgroup', files);
}

test('v2: quota over period is cores, and memory in use leaves out files that were read long ago', () => {
  using files = v2Tree('/', {
    'cpu.max': '150000 100000\n',
    'cpu.stat': 'usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n',
    'memory.max': '1000000\n',
    'memory.high': 'max\n',
    'memory.current': '700000\n',
    'memory.stat': 'anon 1\nactive_file 9\ninactive_file 200000\nworkingset 3\n',
  });
  const cgroup = new Cgroup(files.root);
  expect(cgroup.cpu()).toEqual({ of: `${files.root}/sys/fs/cgroup`, usedMs: 2_500, cores: 1.5 });
  expect(cgroup.memory()).toEqual({ usedBytes: 500_000, limitBytes: 1_000_000 });
  files.write({ 'sys/fs/cgroup/memory.high': '800000\n', 'sys/fs/cgroup/cpu.max': '50000 100000\n' });
  expect(cgroup.memory()?.limitBytes, 'what slows it down to nothing').toBe(800_000);
  expect(cgroup.cpu()?.cores, 'a limit that was changed').toBe(0.5);
});

test('v1: quota over period is cores, in the controllers that are mounted together', () => {
  using files = v1Tree('/pod/one', {
    'cpu,cpuacct/pod/one/cpu.cfs_quota_us': '50000\n',
    'cpu,cpuacct/pod/one/cpu.cfs_period_us': '100000\n',
    'cpu,cpuacct/pod/one/cpuacct.usage': '7000000000\n',
    'memory/pod/one/memory.limit_in_bytes': '4096000\n',
    'memory/pod/one/memory.usage_in_bytes': '3000000\n',
    'memory/pod/one/memory.stat': 'inactive_file 5\ntotal_cache 1\ntotal_inactive_file 1000000\n',
  });
  const cgroup = new Cgroup(files.root);
  const of = `${files.root}/sys/fs/cgroup/cpu,cpuacct/pod/one`;
  expect(cgroup.cpu()).toEqual({ of, usedMs: 7_000, cores: 0.5 });
  expect(cgroup.memory()).toEqual({ usedBytes: 2_000_000, limitBytes: 4_096_000 });
});

test('the tightest limit on the way up wins, and use is read where it is', () => {
  using files = v2Tree('/pod/app/worker', {
    'pod/app/worker/cpu.max': 'max 100000\n',
    'pod/app/worker/cpu.stat': 'usage_usec 1000\n',
    'pod/app/worker/memory.max': '300\n',
    'pod/app/worker/memory.current': '10\n',
    'pod/app/cpu.max': '400000 100000\n',
    'pod/app/cpu.stat': 'usage_usec 2000\n',
    'pod/app/memory.max': 'max\n',
    'pod/cpu.max': '100000 50000\n',
    'pod/cpu.stat': 'usage_usec 3000\n',
    'pod/memory.max': '400\n',
    'pod/memory.current': '350\n',
  });
  const cgroup = new Cgroup(files.root);
  expect(cgroup.cpu()).toEqual({ of: `${files.root}/sys/fs/cgroup/pod`, usedMs: 3, cores: 2 });
  expect(cgroup.memory()).toEqual({ usedBytes: 10, limitBytes: 300 });
  files.remove('sys/fs/cgroup/pod/cpu.stat');
  expect(cgroup.cpu()?.usedMs, 'without its use a limit says nothing').toBe(2);
  files.write({ 'proc/self/cgroup': '0::/pod\n' });
  expect(cgroup.memory(), 'moved to another group').toEqual({ usedBytes: 350, limitBytes: 400 });
});

const HERE = {
  'cpu,cpuacct/cpu.cfs_quota_us': '200000\n',
  'cpu,cpuacct/cpu.cfs_period_us': '100000\n',
  'cpu,cpuacct/cpuacct.usage': '1000000\n',
  'memory/memory.limit_in_bytes': '4096\n',
  'memory/memory.usage_in_bytes': '100\n',
};
/** Where a group that is taken for one below would be looked for. */
const ASTRAY = Object.fromEntries(
  ['ef', 'memory/x'].flatMap((folder) => [
    [`${folder}/memory.limit_in_bytes`, '1'],
    [`${folder}/memory.usage_in_bytes`, '1'],
  ]),
);

test.each([
  ['that the mount starts with', '/docker/ab', v1Mounts('/docker/ab')],
  ['of the host, which is not in the container', '/docker/ab', v1Mounts()],
  ['beside what the mount shows', '/docker/abc/x', v1Mounts('/docker/ab')],
  ['out of the namespace', '/../ef', v1Mounts()],
  ['that is not told', '', v1Mounts()],
])('a group %s is the root of the mount', (_what, group, mounts) => {
  using files = v1Tree(group, { ...HERE, ...ASTRAY }, mounts);
  const cgroup = new Cgroup(files.root);
  expect(cgroup.cpu()).toMatchObject({ usedMs: 1, cores: 2 });
  expect(cgroup.memory()).toEqual({ usedBytes: 100, limitBytes: 4_096 });
});

test('below a mount that shows only a part, the rest of the way counts', () => {
  const files = {
    ...HERE,
    'memory/inner/memory.limit_in_bytes': '50\n',
    'memory/inner/memory.usage_in_bytes': '7\n',
  };
  using shown = v1Tree('/docker/ab/inner', files, v1Mounts('/docker/ab'));
  expect(new Cgroup(shown.root).memory()).toEqual({ usedBytes: 7, limitBytes: 50 });
});

test('cpu and cpuacct apart: use counts where the process is in the same group of both', () => {
  const mounts = ['cpu', 'cpuacct']
    .map((name) => `33 31 0:29 / /sys/fs/cgroup/${name} rw - cgroup cgroup rw,${name}\n`)
    .join('');
  const files = {
    'cpu/a/cpu.cfs_quota_us': '10000',
    'cpu/a/cpu.cfs_period_us': '100000',
    'cpuacct/a/cpuacct.usage': '5000000',
    'cpuacct/b/cpuacct.usage': '6000000',
  };
  using shown = tree(mounts, '2:cpuacct:/a\n1:cpu:/a\n', 'sys/fs/cgroup', files);
  const cgroup = new Cgroup(shown.root);
  expect(cgroup.cpu()).toMatchObject({ usedMs: 5, cores: 0.1 });
  shown.write({ 'proc/self/cgroup': '2:cpuacct:/b\n1:cpu:/a\n' });
  expect(cgroup.cpu()).toBeUndefined();
});

test('both versions beside each other: each limit counts where it is', () => {
  const mounts = `${v1Mounts()}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`;
  const v1 = { ...HERE, 'unified/cgroup.procs': '1\n' };
  using hybrid = v1Tree('/', v1, mounts);
  expect(new Cgroup(hybrid.root).cpu()?.cores).toBe(2);
  hybrid.write({
    'sys/fs/cgroup/unified/memory.max': '2048',
    'sys/fs/cgroup/unified/memory.current': '1024',
  });
  expect(new Cgroup(hybrid.root).memory()).toEqual({ usedBytes: 1_024, limitBytes: 2_048 });
});

test('a mount whose path has a blank is found', () => {
  const mount = '30 23 0:26 / /sys/my\\040groups rw - cgroup2 cgroup2 rw\n';
  using files = tree(mount, '0::/\n', 'sys/my groups', { 'memory.max': '10', 'memory.current': '1' });
  expect(new Cgroup(files.root).memory()).toEqual({ usedBytes: 1, limitBytes: 10 });
});

test('without a limit there is nothing to say', () => {
  using none = new FileTree();
  using v2 = v2Tree('/a', {
    'a/cpu.max': 'max 100000\n',
    'a/memory.max': 'max\n',
    'a/memory.current': '5\n',
  });
  using v1 = v1Tree('/', {
    'cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
    'cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    'cpu,cpuacct/cpuacct.usage': '5\n',
  });
  for (const { root } of [none, v2, v1]) {
    expect(new Cgroup(root).cpu()).toBeUndefined();
    expect(new Cgroup(root).memory()).toBeUndefined();
  }
  v1.write({
    'sys/fs/cgroup/memory/memory.limit_in_bytes': UNLIMITED,
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '5',
  });
  expect(new Cgroup(v1.root).memory()?.limitBytes, 'as v1 writes that there is none').toBeGreaterThan(
    2 ** 60,
  );
});

test.each([
  '',
  '\n',
  'max',
  '-5 100000',
  '0 100000',
  '100000 0',
  '1e5 1e5',
  'NaN Infinity',
  '\0\0',
  '9'.repeat(400),
])('a limit of %j is none', (text) => {
  using files = v2Tree('/', {
    'cpu.max': text,
    'cpu.stat': 'usage_usec 1\n',
    'memory.max': text,
    'memory.current': '1\n',
  });
  expect(new Cgroup(files.root).cpu()).toBeUndefined();
  expect(new Cgroup(files.root).memory()).toBeUndefined();
});

test.each([
  ['proc/self/mountinfo', 'sys - cgroup2\n - - -\ncgroup2\n'],
  ['proc/self/mountinfo', '30 23 0:26 / - cgroup2 cgroup2 rw'],
  ['proc/self/cgroup', ':::\n0:\n\n/'],
  ['proc/self/cgroup', `0::${'/x'.repeat(5_000)}`],
  ['sys/fs/cgroup/cpu.stat', 'usage_usec\nusage_usec_more 5\nusage_usec x\n'],
  ['sys/fs/cgroup/memory.current', '-1'],
])('garbage in %s does no harm', (path, text) => {
  using files = v2Tree('/', { 'cpu.max': '1 1', 'cpu.stat': 'x', 'memory.max': '5', 'memory.current': 'x' });
  files.write({ [path]: text });
  expect(new Cgroup(files.root).cpu()).toBeUndefined();
  expect(new Cgroup(files.root).memory()).toBeUndefined();
});

test('a folder in place of a file is as no file', () => {
  using files = v2Tree('/', { 'cpu.max/x': '', 'memory.max/x': '' });
  expect(new Cgroup(files.root).cpu()).toBeUndefined();
  expect(new Cgroup(files.root).memory()).toBeUndefined();
});
