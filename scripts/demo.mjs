// A cluster on this machine to look at: Redis, three nodes in two made-up regions, ffmpeg publishing test pictures, and
// some dozen players. Prints where the dashboard is, and what to try. Ctrl-C ends all that it started.
//
//   npm run demo
//   npm run demo -- --redis redis://127.0.0.1:6379    # uses that one, under keys of its own
//   npm run demo -- --players 500                     # up to 2000
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DemoCluster } from './demo/demo-cluster.mjs';
import { DemoError } from './demo/program.mjs';

const BUILT = new URL('../dist/cli/main.js', import.meta.url);
const DEFAULT_PLAYERS = 36;
const MAX_PLAYERS = 2_000;
/** npm passes on a Ctrl-C that the terminal has told already: two signals at once are one. */
const SAME_SIGNAL_MS = 500;

function needPrograms(names) {
  const missing = names.filter(
    (name) => spawnSync(name, ['-version'], { stdio: 'ignore' }).error !== undefined,
  );
  if (missing.length === 0) return;
  const hint = missing.includes('redis-server')
    ? ', or use a Redis of yours: npm run demo -- --redis URL'
    : '';
  const packages = missing.join(' ');
  throw new DemoError(`the demo needs ${missing.join(' and ')}: as root, apt-get install ${packages}${hint}`);
}

function readArguments() {
  try {
    const options = { redis: { type: 'string' }, players: { type: 'string' } };
    const { redis, players = String(DEFAULT_PLAYERS) } = parseArgs({ options }).values;
    if (!/^\d{1,4}$/.test(players) || Number(players) > MAX_PLAYERS) {
      throw new Error(`--players wants a whole number up to ${MAX_PLAYERS}`);
    }
    return { redis, players: Number(players) };
  } catch (error) {
    throw new DemoError(`${error.message}; it takes --redis URL and --players N`);
  }
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Resolves with the first signal; with the next one, `atOnce` is called. */
function interruption(atOnce) {
  return new Promise((resolve) => {
    let askedMs = Number.POSITIVE_INFINITY;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        const nowMs = performance.now();
        if (nowMs - askedMs > SAME_SIGNAL_MS) atOnce();
        askedMs = Math.min(askedMs, nowMs);
        resolve();
      });
    }
  });
}

async function main() {
  const { redis, players } = readArguments();
  needPrograms(redis === undefined ? ['redis-server', 'ffmpeg'] : ['ffmpeg']);
  if (!existsSync(BUILT)) throw new DemoError('not built yet: run "npm run demo", which builds');
  const demo = new DemoCluster({ say, players });
  const interrupted = interruption(() => demo.kill());
  try {
    const running = demo.run({ redis });
    await Promise.race([interrupted, running]);
    running.catch(() => {}); // What is interrupted fails, somewhere.
    await interrupted;
  } finally {
    await demo.end();
  }
}

// A terminal that was closed takes no more words.
process.stdout.on('error', () => {});
try {
  await main();
} catch (error) {
  process.stderr.write(`demo: ${error instanceof DemoError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
