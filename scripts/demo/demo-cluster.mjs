// The cluster of the demo: Redis, three nodes in two regions, encoders, players; what is said of it, and its end.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Audience } from './audience.mjs';
import { canDrawText, encoderArguments, STREAMS } from './encoders.mjs';
import { freePort } from './free-port.mjs';
import { DemoError, Program } from './program.mjs';

const TIDEWAY = fileURLToPath(new URL('../../bin/tideway.js', import.meta.url));
/** The ports that each node takes, if they are free. */
const NODES = [
  { id: 'coast-1', region: 'coast', rtmp: 1941, http: 8081, mesh: 7941 },
  { id: 'coast-2', region: 'coast', rtmp: 1942, http: 8082, mesh: 7942 },
  { id: 'hills-1', region: 'hills', rtmp: 1943, http: 8083, mesh: 7943 },
];
/** What a gigabyte costs from one region to the other. */
const PRICES = 'coast>hills=0.08,hills>coast=0.02';
const REDIS_PORT = 6391;
const READY_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 100;
/** As long as OBS takes to come back, about. */
const REPUBLISH_AFTER_MS = 2_000;

export class DemoCluster {
  #folder = mkdtempSync(join(tmpdir(), 'tideway-demo-'));
  #say;
  #players;
  /** In the order in which they were started. */
  #programs = [];
  #nodes = [];
  #audience = new Audience({ nodes: () => [], size: 0 });
  #clock = 'text';
  #ending;

  /**
   * @param say takes what is told to the person
   * @param players how many
   */
  constructor({ say, players }) {
    this.#say = say;
    this.#players = players;
  }

  /** The nodes' HTTP addresses; the first has the dashboard that is told of. */
  get urls() {
    return this.#nodes.map(({ httpUrl }) => httpUrl);
  }

  /**
   * Starts it all; resolves once streams and players are there.
   * @param redis the URL of one to use; undefined: one of its own
   * @throws DemoError
   */
  async run({ redis }) {
    const places = await Promise.all(NODES.map(placeOf));
    this.#clock = canDrawText() ? 'text' : 'built-in';
    const url = redis ?? (await this.#startRedis());
    const env = nodeEnvironment({ TIDEWAY_MESH_SECRET: randomBytes(32).toString('hex') });
    // A Redis that others use, too, gets keys that nobody else has.
    const prefix = `tw-demo-${randomBytes(4).toString('hex')}:`;
    for (const place of places) this.#nodes.push(this.#startNode(place, { url, prefix, env }));
    await Promise.all(this.#nodes.map((node) => this.#untilReady(node)));
    this.#say(`Dashboard: ${this.#nodes[0].httpUrl}/`);
    await Promise.all(STREAMS.map(({ key, at }) => this.#publish(key, this.#nodes[at])));
    this.#audience = new Audience({
      nodes: () => this.#nodes.map(({ http, program }) => (program.isGone ? undefined : http)),
      size: this.#players,
    });
    await this.#audience.arrive();
    await this.#untilPlaying();
    this.#say(this.#text());
  }

  /** Ends all, the last first. Calm when repeated. */
  end() {
    this.#ending ??= this.#endAll();
    return this.#ending;
  }

  /** Ends all at once. */
  kill() {
    for (const program of this.#programs) program.kill();
  }

  async #endAll() {
    this.#audience.end();
    // Redis was started first, and goes last: nodes say goodbye to it.
    const isRedis = ({ name }) => name === 'redis';
    const programs = this.#programs;
    await Promise.all(programs.filter((program) => !isRedis(program)).map((program) => program.end()));
    await Promise.all(programs.filter(isRedis).map((program) => program.end()));
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
    const redis = this.#start('redis', 'redis-server', [
      ...['--port', String(port), '--bind', '127.0.0.1'],
      ...['--save', '', '--appendonly', 'no', '--dir', this.#folder],
    ]);
    redis.gone.then((why) => this.#tellGone(redis, why));
    return `redis://127.0.0.1:${port}/0`;
  }

  #startNode(place, { url, prefix, env }) {
    const flags = {
      host: '127.0.0.1',
      'node.id': place.id,
      'node.region': place.region,
      'rtmp.port': place.rtmp,
      'http.port': place.http,
      'mesh.port': place.mesh,
      'registry.prefix': prefix,
      'routing.prices': PRICES,
      // A tree of three that has a node in the middle: the second to ask pulls from the first.
      'relay.softChildren': 1,
      // On a machine that is busy anyway, players would wander about.
      'route.redirect': 'never',
    };
    const args = Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)]);
    // By the environment: a URL may have a password, and arguments are for all to see.
    const program = this.#start(place.id, process.execPath, [TIDEWAY, 'start', ...args], {
      ...env,
      TIDEWAY_REGISTRY_URL: url,
    });
    program.gone.then((why) => this.#tellGone(program, why));
    return { ...place, program, httpUrl: `http://127.0.0.1:${place.http}` };
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

  /** Publishes to a node; when that ends, to the next one that is there, as an encoder with a second address does. */
  async #publish(key, node) {
    const url = `rtmp://127.0.0.1:${node.rtmp}/${key}`;
    const name = `encoder-${key.replace('/', '-')}`;
    const encoder = this.#start(name, 'ffmpeg', encoderArguments(key, url, { clock: this.#clock }));
    encoder.gone.then(() => this.#publishElsewhere(key));
    await this.#until(
      node.program,
      async () => {
        const { streams } = await (await fetch(`${node.httpUrl}/watch/streams`)).json();
        return streams.some((stream) => stream.key === key);
      },
      () => `ffmpeg publishes no ${key}: ${encoder.lastLine || 'it says nothing'}`,
    );
  }

  async #publishElsewhere(key) {
    await delay(REPUBLISH_AFTER_MS);
    const node = this.#nodes.find(({ program }) => !program.isGone);
    if (this.#ending || !node) return;
    this.#say(`The encoder of ${key} publishes to ${node.id} now.`);
    // It tries again when its ffmpeg ends.
    await this.#publish(key, node).catch(() => {});
  }

  async #untilPlaying() {
    // Those that come and go are away at times.
    const enough = this.#players * 0.8;
    await this.#until(
      this.#nodes[0].program,
      async () => this.#audience.playing >= enough,
      () => `only ${this.#audience.playing} of ${this.#players} players play`,
    );
  }

  async #until(program, look, failure) {
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!program.isGone && !this.#ending) {
      if (await look().catch(() => false)) return;
      if (performance.now() > deadline) throw new DemoError(failure());
      await delay(LOOK_EVERY_MS);
    }
    throw new DemoError(`${program.name} ended: ${program.lastLine || 'without a word'}`);
  }

  #tellGone(program, why) {
    if (!this.#ending) this.#say(`${program.name} is gone: ${why}.`);
  }

  #text() {
    const [first, second, third] = this.#nodes;
    const [{ key }] = STREAMS;
    const lines = this.#nodes.map(
      ({ id, httpUrl, program }) => `  ${id}   ${httpUrl}/   process ${program.pid}`,
    );
    const tideway = (command) => `  node bin/tideway.js ${command} --url ${first.httpUrl}`;
    return `
Three nodes in two regions run, with ${STREAMS.length} streams and ${this.#players} players. Ctrl-C ends everything.

Nodes: each has the dashboard of the whole cluster
${lines.join('\n')}

Watch
  ${third.httpUrl}/watch/#${key}    a clock, published on ${first.id}
  ${third.httpUrl}/${key}.flv       the same for ffplay or VLC

Ask
${['status', 'streams', 'top'].map(tideway).join('\n')}

Break something while you watch the dashboard of ${first.id}, and ${key} on ${third.id}
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

async function placeOf({ id, region, rtmp, http, mesh }) {
  return {
    ...{ id, region },
    rtmp: await freePort(rtmp),
    http: await freePort(http),
    mesh: await freePort(mesh),
  };
}
