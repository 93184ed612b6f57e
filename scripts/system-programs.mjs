// Makes sure of the system programs that the tests run: installs what is missing with apt-get when it may,
// otherwise stops with one line that says what to install. Nothing is skipped silently. With --obs: for `npm run test:obs`.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const MACHINE = { x64: 'x86_64', arm64: 'aarch64' }[process.arch] ?? process.arch;
const SOFTWARE_GL = `/usr/lib/${MACHINE}-linux-gnu/dri/swrast_dri.so`;
const FAKETIME = `/usr/lib/${MACHINE}-linux-gnu/faketime/libfaketimeMT.so.1`;

/** Each with the Debian package that has it, and how to see whether it is there. */
const TEST_PROGRAMS = [
  { name: 'ffmpeg', packages: ['ffmpeg'], present: runs('ffmpeg', '-version') },
  { name: 'ffprobe', packages: ['ffmpeg'], present: runs('ffprobe', '-version') },
  { name: 'redis-server', packages: ['redis-server'], present: runs('redis-server', '--version') },
  { name: 'openssl', packages: ['openssl'], present: runs('openssl', 'version') },
  { name: 'chromium', packages: ['chromium'], present: runs('chromium', '--version') },
  { name: 'promtool', packages: ['prometheus'], present: runs('promtool', '--version') },
  { name: 'rtmpdump', packages: ['rtmpdump'], present: exists('rtmpdump') },
  { name: 'gst-launch-1.0', packages: ['gstreamer1.0-tools'], present: runs('gst-launch-1.0', '--version') },
  element('videotestsrc', 'gstreamer1.0-plugins-base'),
  element('flvmux', 'gstreamer1.0-plugins-good'),
  element('rtmpsink', 'gstreamer1.0-plugins-bad'),
  element('rtmp2sink', 'gstreamer1.0-plugins-bad'),
  element('x264enc', 'gstreamer1.0-plugins-ugly'),
  element('avenc_aac', 'gstreamer1.0-libav'),
];

/** Chaos has namespaces and wrong clocks where it is root, and does without them elsewhere. */
const ROOT_PROGRAMS = [
  { name: 'ip', packages: ['iproute2'], present: runs('ip', '-V') },
  { name: 'nft', packages: ['nftables'], present: runs('nft', '--version') },
  { name: 'libfaketime', packages: ['libfaketime'], present: () => existsSync(FAKETIME) },
];

const OBS_PROGRAMS = [
  { name: 'obs', packages: ['obs-studio'], present: runs('obs', '--version') },
  { name: 'Xvfb', packages: ['xvfb'], present: exists('Xvfb', '-version') },
  { name: 'software GL', packages: ['libgl1-mesa-dri'], present: () => existsSync(SOFTWARE_GL) },
  { name: 'chromium', packages: ['chromium'], present: runs('chromium', '--version') },
];

const isRoot = process.getuid?.() === 0;
const ALL_TEST_PROGRAMS = isRoot ? [...TEST_PROGRAMS, ...ROOT_PROGRAMS] : TEST_PROGRAMS;
const PROGRAMS = process.argv.includes('--obs') ? OBS_PROGRAMS : ALL_TEST_PROGRAMS;

function element(name, packageName) {
  return {
    name: `gstreamer's ${name}`,
    packages: [packageName, 'gstreamer1.0-tools'],
    present: runs('gst-inspect-1.0', '--exists', name),
  };
}

function runs(program, ...args) {
  return () => spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function exists(program, ...args) {
  return () => spawnSync(program, args, { stdio: 'ignore' }).error === undefined;
}

function missingPrograms() {
  return PROGRAMS.filter(({ present }) => !present());
}

function packagesOf(programs) {
  return [...new Set(programs.flatMap(({ packages }) => packages))].sort();
}

/** How to become root without being asked: `[]`, `['sudo', '-n']`, or undefined. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return runs('sudo', '-n', 'true')() ? ['sudo', '-n'] : undefined;
}

function install(packages) {
  const root = asRoot();
  if (root === undefined || !runs('apt-get', '--version')()) return;
  process.stderr.write(`Installing system programs for the tests: ${packages.join(' ')}\n`);
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive'];
  for (const apt of [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-qq', '-y', '--no-install-recommends', ...packages],
  ]) {
    const [command, ...args] = [...root, ...environment, ...apt];
    // To standard error: standard output is for the tests.
    spawnSync(command, args, { stdio: ['ignore', 2, 2] });
  }
}

const missing = missingPrograms();
if (missing.length > 0) install(packagesOf(missing));
const still = missing.length > 0 ? missingPrograms() : [];
if (still.length > 0) {
  const names = still.map(({ name }) => name).join(', ');
  process.stderr.write(
    `The tests need ${names}: as root, apt-get install --no-install-recommends ${packagesOf(still).join(' ')}\n`,
  );
  process.exit(1);
}
