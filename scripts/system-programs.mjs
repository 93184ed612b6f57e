// Makes sure of the system programs that the tests run: installs what is missing with apt-get when it may,
// otherwise stops with one line that says what to install. Nothing is skipped silently.
import { spawnSync } from 'node:child_process';

/** Each with the Debian package that has it, and how to see whether it is there. */
const PROGRAMS = [
  { name: 'ffmpeg', packages: ['ffmpeg'], present: runs('ffmpeg', '-version') },
  { name: 'ffprobe', packages: ['ffmpeg'], present: runs('ffprobe', '-version') },
  { name: 'redis-server', packages: ['redis-server'], present: runs('redis-server', '--version') },
  { name: 'chromium', packages: ['chromium'], present: runs('chromium', '--version') },
  { name: 'rtmpdump', packages: ['rtmpdump'], present: exists('rtmpdump') },
  { name: 'gst-launch-1.0', packages: ['gstreamer1.0-tools'], present: runs('gst-launch-1.0', '--version') },
  element('videotestsrc', 'gstreamer1.0-plugins-base'),
  element('flvmux', 'gstreamer1.0-plugins-good'),
  element('rtmpsink', 'gstreamer1.0-plugins-bad'),
  element('rtmp2sink', 'gstreamer1.0-plugins-bad'),
  element('x264enc', 'gstreamer1.0-plugins-ugly'),
  element('avenc_aac', 'gstreamer1.0-libav'),
];

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

function exists(program) {
  return () => spawnSync(program, [], { stdio: 'ignore' }).error === undefined;
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
