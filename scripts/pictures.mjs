// Takes the pictures of the dashboard that the README shows, from the demo: `npm run pictures`. Debian's Chromium looks at
// it, so what is in docs/pictures/ is what a newcomer sees.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { DemoCluster } from './demo/demo-cluster.mjs';
import { DemoError } from './demo/program.mjs';

const FOLDER = fileURLToPath(new URL('../docs/pictures/', import.meta.url));
const BUILT = new URL('../dist/cli/main.js', import.meta.url);
const CHROMIUM = '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'];
const PLAYERS = 48;
/** Until the charts have a line, and slow players have lost frames. */
const WARM_UP_MS = 60_000;
/** For a view to have its figures, and for the preview to play. */
const SETTLE_MS = 4_000;
const PATIENCE_MS = 20_000;
const MOST_BYTES = 300_000;

/** As high as what there is to see of the demo; of a stream, what is above the charts. */
const CLUSTER = { width: 1280, height: 580 };
const STREAM = { width: 1280, height: 925 };
const PHONE = { width: 390, height: 844 };
const KEY = 'live/clock';

const SHOTS = [
  { name: 'cluster-dark', hash: '#/', scheme: 'dark', size: CLUSTER },
  { name: 'cluster-light', hash: '#/', scheme: 'light', size: CLUSTER },
  { name: 'stream-dark', hash: `#/streams/${KEY}`, scheme: 'dark', size: STREAM, plays: true },
  { name: 'stream-light', hash: `#/streams/${KEY}`, scheme: 'light', size: STREAM, plays: true },
  { name: 'phone-dark', hash: `#/streams/${KEY}`, scheme: 'dark', size: PHONE },
  { name: 'phone-light', hash: '#/', scheme: 'light', size: PHONE },
];

/** Takes one picture, after the page has told no error. */
async function take(context, url, { name, hash, scheme, size, plays }) {
  const page = await context.newPage();
  const errors = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error)));
  try {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.goto(`${url}/${hash}`);
    await page.getByText('coast-1').first().waitFor();
    if (plays) await play(page);
    await delay(SETTLE_MS);
    const path = join(FOLDER, `${name}.png`);
    await page.screenshot({ path });
    if (errors.length > 0) throw new DemoError(`${name}: the page has errors: ${errors.join('; ')}`);
    return path;
  } finally {
    await page.close();
  }
}

/** Has the preview play, whether by itself or by its button. */
async function play(page) {
  const button = page.getByRole('button', { name: /^(play|preview)/i }).first();
  if (await button.isVisible()) await button.click();
  await page.waitForFunction(() => (document.querySelector('video')?.currentTime ?? 0) > 1);
}

/** Fewer colours: a picture of a page has few, but for the preview. */
function compress(path) {
  const smaller = `${path}.small.png`;
  const palette =
    '[0:v]split[a][b];[a]palettegen=max_colors=256:stats_mode=single[p];[b][p]paletteuse=dither=none';
  const args = [
    '-loglevel',
    'error',
    '-y',
    '-i',
    path,
    '-filter_complex',
    palette,
    '-frames:v',
    '1',
    smaller,
  ];
  const { status } = spawnSync('ffmpeg', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status === 0 && statSync(smaller).size < statSync(path).size) renameSync(smaller, path);
  rmSync(smaller, { force: true });
  const { size } = statSync(path);
  if (size > MOST_BYTES)
    throw new DemoError(`${path} has ${size} bytes, and at most ${MOST_BYTES} are wanted`);
  return size;
}

async function takeAll(url) {
  const profile = mkdtempSync(join(tmpdir(), 'tideway-pictures-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: FLAGS,
    headless: true,
    handleSIGINT: false,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  try {
    for (const shot of SHOTS) {
      const path = await take(context, url, shot);
      process.stdout.write(`${path}  ${Math.round(compress(path) / 1000)} kB\n`);
    }
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function main() {
  if (!existsSync(BUILT)) throw new DemoError('not built yet: run "npm run pictures", which builds');
  if (!existsSync(CHROMIUM)) throw new DemoError('it needs Chromium: as root, apt-get install chromium');
  const demo = new DemoCluster({ say: () => {}, players: PLAYERS });
  const interrupted = new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.once(signal, () => reject(new DemoError('interrupted')));
    }
  });
  const taking = async () => {
    await demo.run({ redis: undefined });
    await delay(WARM_UP_MS);
    await takeAll(demo.urls[0]);
  };
  try {
    await Promise.race([taking(), interrupted]);
  } finally {
    await demo.end();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`pictures: ${error instanceof DemoError ? error.message : error.stack}\n`);
  process.exit(1);
}
