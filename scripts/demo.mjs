// A cluster on this machine to look at: Redis, three nodes, and ffmpeg publishing a test picture with a tone to the
// first. Prints where to watch, and what to try. Ctrl-C ends all that it started.
//
//   npm run demo
//   npm run demo -- --redis redis://127.0.0.1:6379    # uses that one, under keys of its own
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TIDEWAY = fileURLToPath(new URL('../bin/tideway.js', import.meta.url));
const BUILT = new URL('../dist/cli/main.js', import.meta.url);
const KEY = 'live/demo';
/** The ports that each node takes, if they are free. */
const NODES = [
  { id: 'a', rtmp: 1941, http: 8081, mesh: 7941 },
  { id: 'b', rtmp: 1942, http: 8082, mesh: 7942 },
  { id: 'c', rtmp: 1943, http: 8083, mesh: 7943 },
];
const REDIS_PORT = 6391;
const READY_WITHIN_MS = 15_000;
const END_WITHIN_MS = 8_000;
/** As long as OBS takes to come back, about. */
const REPUBLISH_AFTER_MS = 2_000;

/** A mistake of the person's, or a program that is not there: its message is all there is to say. */
class DemoError extends Error {}

/** A program that the demo started, in a process group of its own, so that Ctrl-C reaches it only through us. */
class Program {
  #log;
  #child;

  constructor(name, command, args, { folder, env = process.env }) {
    this.name = name;
    this.#log = createWriteStream(join(folder, `${name}.log`), { flags: 'a' });
    this.#child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.lastLine = '';
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.pipe(this.#log, { end: false });
      stream.setEncoding('utf8').on('data', (text) => {
        this.lastLine = text.trimEnd().split('\n').at(-1) ?? '';
      });
    }
    /** Resolves with why it is gone. */
    this.gone = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    }).then((why) => {
      this.isGone = true;
      this.#log.end();
      return why;
    });
    this.isGone = false;
  }

  get pid() {
    return this.#child.pid;
  }

  /** Asks it to end, and ends it if it does not. */
  async end() {
    if (!this.isGone) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_WITHIN_MS);
    await this.gone;
    clearTimeout(timer);
  }
}

class Demo {
  #folder = mkdtempSync(join(tmpdir(), 'tideway-demo-'));
  /** In the order in which they were started. */
  #programs = [];
  #nodes = [];
  #ending;

  async run({ redis }) {
    const url = redis ?? (await this.#startRedis());
    const places = await Promise.all(NODES.map(placeOf));
    const env = nodeEnvironment({ TIDEWAY_MESH_SECRET: randomBytes(32).toString('hex') });
    // A Redis that others use, too, gets keys that nobody else has.
    const prefix = `tw-demo-${randomBytes(4).toString('hex')}:`;
    for (const place of places) this.#nodes.push(this.#startNode(place, { url, prefix, env }));
    await Promise.all(this.#nodes.map((node) => this.#untilReady(node)));
    this.#publish(this.#nodes[0]);
    await this.#untilPlayable(this.#nodes[0]);
    say(this.#text());
  }

  /** Ends all, the last first. Calm when repeated. */
  end() {
    this.#ending ??= this.#endAll();
    return this.#ending;
  }

  async #endAll() {
    // Redis was started first, and goes last: nodes say goodbye to it.
    const [first, ...others] = this.#programs;
    await Promise.all(others.map((program) => program.end()));
    await first?.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(name, command, args, env) {
    if (this.#ending) throw new DemoError('ended');
    const program = new Program(name, command, args, { folder: this.#folder, env });
    this.#programs.push(program);
    program.gone.then(() => {
      this.#programs = this.#programs.filter((other) => other !== program);
    });
    return program;
  }

  async #startRedis() {
    const port = await freePort(REDIS_PORT);
    const args = [
      '--port',
      port,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      this.#folder,
    ];
    const redis = this.#start('redis', 'redis-server', args.map(String));
    redis.gone.then((why) => this.#tellGone(redis, why));
    return `redis://127.0.0.1:${port}/0`;
  }

  #startNode(place, { url, prefix, env }) {
    const flags = {
      host: '127.0.0.1',
      'node.id': place.id,
      'rtmp.port': place.rtmp,
      'http.port': place.http,
      'mesh.port': place.mesh,
      'registry.prefix': prefix,
      // A tree of three that has a node in the middle: the second to ask pulls from the first.
      'relay.softChildren': 1,
    };
    const args = Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)]);
    // By the environment: a URL may have a password, and arguments are for all to see.
    const program = this.#start(place.id, process.execPath, [TIDEWAY, 'start', ...args], {
      ...env,
      TIDEWAY_REGISTRY_URL: url,
    });
    const node = { ...place, program, httpUrl: `http://127.0.0.1:${place.http}` };
    program.gone.then((why) => this.#tellGone(program, why));
    return node;
  }

  async #untilReady({ id, httpUrl, program }) {
    let why = 'no answer yet';
    await this.#until(
      program,
      async () => {
        const answer = await fetch(`${httpUrl}/readyz`);
        if (!answer.ok) why = (await answer.json()).detail;
        return answer.ok;
      },
      () => `node ${id} is not ready: ${why}`,
    );
  }

  async #untilPlayable({ httpUrl, program }) {
    await this.#until(
      program,
      async () => (await (await fetch(`${httpUrl}/watch/streams`)).json()).streams.length > 0,
      () => 'ffmpeg publishes nothing',
    );
  }

  async #until(program, look, failure) {
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!program.isGone && !this.#ending) {
      if (await look().catch(() => false)) return;
      if (performance.now() > deadline) throw new DemoError(failure());
      await delay(100);
    }
    throw new DemoError(`${program.name} ended: ${program.lastLine || 'without a word'}`);
  }

  /** Publishes to a node; when that ends, to the next one that is there, as an encoder with a second address does. */
  #publish(node) {
    const target = `rtmp://127.0.0.1:${node.rtmp}/${KEY}`;
    const ffmpeg = this.#start('ffmpeg', 'ffmpeg', [
      ...['-hide_banner', '-loglevel', 'warning', '-nostdin', '-re'],
      ...['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=30'],
      ...['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'],
      ...[
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-tune',
        'zerolatency',
        '-pix_fmt',
        'yuv420p',
        '-g',
        '30',
      ],
      ...['-c:a', 'aac', '-f', 'flv', target],
    ]);
    ffmpeg.gone.then(() => this.#publishElsewhere());
  }

  async #publishElsewhere() {
    await delay(REPUBLISH_AFTER_MS);
    const node = this.#nodes.find(({ program }) => !program.isGone);
    if (this.#ending || !node) return;
    say(`The encoder publishes to ${node.id} now.`);
    this.#publish(node);
  }

  #tellGone(program, why) {
    if (!this.#ending) say(`${program.name} is gone: ${why}.`);
  }

  #text() {
    const [first, second, third] = this.#nodes;
    const lines = this.#nodes.flatMap(({ id, httpUrl, program }) => [
      `  ${id}   ${httpUrl}/watch/#${KEY}`,
      `      ${httpUrl}/${KEY}.flv   (process ${program.pid})`,
    ]);
    return `
Three nodes run; ${first.id} is the origin of ${KEY}. Ctrl-C ends everything.

Watch, first on ${second.id}, then on ${third.id}: so ${second.id} pulls from ${first.id}, and ${third.id} from ${second.id}
${lines.join('\n')}

See who has what
  node bin/tideway.js nodes --url ${first.httpUrl}
  node bin/tideway.js streams --url ${third.httpUrl}

Break something while you watch ${third.id}
  kill -STOP ${second.program.pid}    ${second.id} hangs: ${third.id} goes on from ${first.id}; kill -CONT ${second.program.pid} wakes it up
  kill -KILL ${second.program.pid}    ${second.id} dies: the same, sooner
  kill -KILL ${first.program.pid}    the origin dies: the encoder comes back on another node after ${REPUBLISH_AFTER_MS / 1000} s

Logs: ${this.#folder}
`;
  }
}

/** The environment without keys of Tideway that this shell happens to have. */
function nodeEnvironment(more) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEWAY_'));
  return { ...Object.fromEntries(own), ...more };
}

async function placeOf({ id, rtmp, http, mesh }) {
  return { id, rtmp: await freePort(rtmp), http: await freePort(http), mesh: await freePort(mesh) };
}

/** The port that is wished for, or any other that nobody listens on just now. */
async function freePort(wished) {
  return (await listenOn(wished)) ?? (await listenOn(0));
}

function listenOn(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });
}

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
    return parseArgs({ options: { redis: { type: 'string' } } }).values;
  } catch (error) {
    throw new DemoError(`${error.message}; it takes --redis URL, nothing else`);
  }
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

async function main() {
  const { redis } = readArguments();
  needPrograms(redis === undefined ? ['redis-server', 'ffmpeg'] : ['ffmpeg']);
  if (!existsSync(BUILT)) throw new DemoError('not built yet: run "npm run demo", which builds');
  const demo = new Demo();
  const interrupted = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve());
  });
  try {
    await Promise.race([interrupted, demo.run({ redis })]);
    await interrupted;
  } finally {
    await demo.end();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`demo: ${error instanceof DemoError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
