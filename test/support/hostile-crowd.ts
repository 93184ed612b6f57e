// Very many connections that mean no good, beside players and publishers that do: what a node, a process of its own, gives the
// latter meanwhile.
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { FlvReader } from '../../src/format/flv.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { noise, RawSocket } from './hostile.ts';
import { idOf, payloadOf } from './media.ts';
import { NodeProcess } from './node-process.ts';
import { RtmpClient } from './rtmp-client.ts';
import { until } from './until.ts';

export interface CrowdPlan {
  /** Hostile connections that are kept open, or opened again and again. */
  readonly hostile: number;
  readonly players: number;
  readonly publishers: number;
  readonly ms: number;
}

export interface CrowdFigures {
  readonly frames: number;
  /** That did not come, or came twice or late out of order. */
  readonly lost: number;
  /** Players that were refused or closed. */
  readonly disconnected: number;
  /** From the request to the first frame, one player after another while it lasts. */
  readonly joinMs: { readonly count: number; readonly p50: number; readonly p99: number };
  /** Of the API, health among it: requests, those that were not answered with 200, and the slowest. */
  readonly api: { readonly asked: number; readonly failed: number; readonly worstMs: number };
  readonly hostileConnections: number;
  /** Of each publisher, on average. */
  readonly framesPerS: number;
  readonly residentMib: { readonly before: number; readonly most: number; readonly after: number };
}

const FRAME_EVERY_MS = 40;
const FRAMES_PER_KEY = 25;
const FRAME_BYTES = 4_000;
const TICK_MS = 500;
const ADDRESSES = 20;
const MIB = 2 ** 20;
const C0_C1 = Buffer.concat([Buffer.from([3]), Buffer.alloc(1536)]);
const HEADS = 'GET / HTTP/1.1\r\nHost: x\r\n';
/** What each kind does once it is connected, and at each tick. */
const KINDS: readonly { readonly door: 'rtmp' | 'http'; readonly begin: Buffer; readonly tick: Buffer }[] = [
  { door: 'rtmp', begin: Buffer.alloc(0), tick: Buffer.alloc(0) },
  { door: 'rtmp', begin: C0_C1.subarray(0, 100), tick: Buffer.alloc(1) },
  { door: 'rtmp', begin: C0_C1, tick: Buffer.alloc(0) },
  { door: 'rtmp', begin: noise(7, 4_096), tick: noise(8, 1_024) },
  { door: 'http', begin: Buffer.alloc(0), tick: Buffer.alloc(0) },
  { door: 'http', begin: Buffer.from(HEADS), tick: Buffer.from('X: y\r\n') },
  {
    door: 'http',
    begin: Buffer.from(`${HEADS}\r\n`),
    tick: Buffer.from(`GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n`),
  },
];

/** What hostile connections come to. */
export type AttackedPorts = Pick<NodeProcess, 'rtmpPort' | 'httpPort'>;

export interface Attackers {
  /** @returns connections that they opened in all */
  stop(): Promise<number>;
}

/** So many that are kept open, or opened again and again, from now on. */
export type Attack = (ports: AttackedPorts, count: number) => Attackers;

/** They share this process. */
export function attackFromHere(ports: AttackedPorts, count: number): Attackers {
  const attackers = Array.from({ length: count }, (_, at) => new Attacker(ports, at));
  return {
    stop: async () => {
      for (const attacker of attackers) attacker.stop();
      return attackers.reduce((sum, { opened }) => sum + opened, 0);
    },
  };
}

/** Runs a node for it, and stops it. */
export async function amongHostile(plan: CrowdPlan, attack = attackFromHere): Promise<CrowdFigures> {
  const node = new NodeProcess({ id: 'besieged' });
  try {
    await node.start();
    return await besiege(node, plan, attack);
  } finally {
    await node.kill();
  }
}

async function besiege(
  node: NodeProcess,
  { hostile, players, publishers, ms }: CrowdPlan,
  attack: Attack,
): Promise<CrowdFigures> {
  const program = await Program.start(node, publishers);
  const seats = Array.from({ length: players }, (_, at) => new Seat(node.flvUrl(`live/s${at % publishers}`)));
  let attackers: Attackers | undefined;
  try {
    await until('all play', () => seats.every(({ lastId }) => lastId > 0), 20_000);
    const before = await residentMib(node);
    attackers = attack(node, hostile);
    const watch = new Watch(node, publishers);
    await watch.run(ms);
    // Each gets what was sent before this, once its turn comes.
    const upTo = program.sent;
    await until(
      'all is delivered',
      () => seats.every(({ lastId, isOver }) => isOver || lastId >= upTo),
      10_000,
    ).catch(() => {});
    const hostileConnections = await attackers.stop();
    attackers = undefined;
    await delay(TICK_MS);
    return {
      frames: seats.reduce((sum, { frames }) => sum + frames, 0),
      lost: seats.reduce((sum, { lost, lastId }) => sum + lost + Math.max(0, upTo - lastId), 0),
      disconnected: seats.filter(({ isOver }) => isOver).length,
      joinMs: { count: watch.joins.length, p50: partOf(watch.joins, 0.5), p99: partOf(watch.joins, 0.99) },
      api: { asked: watch.asked, failed: watch.failed, worstMs: Math.round(watch.worstMs) },
      hostileConnections,
      framesPerS: program.framesPerS,
      residentMib: { before, most: watch.mostMib, after: await residentMib(node) },
    };
  } finally {
    await attackers?.stop();
    for (const seat of seats) seat.leave();
    program.stop();
  }
}

/** Publishers that all send the same numbered frames, at 25 a second. */
class Program {
  readonly #clients: readonly RtmpClient[];
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  sent = 0;

  private constructor(clients: readonly RtmpClient[]) {
    this.#clients = clients;
    this.#timer = setInterval(() => this.#send(), FRAME_EVERY_MS);
  }

  static async start(node: NodeProcess, publishers: number): Promise<Program> {
    const names = Array.from({ length: publishers }, (_, at) => `s${at}`);
    const clients = await Promise.all(names.map((name) => RtmpClient.publishing(node.rtmpPort, name)));
    for (const client of clients) {
      client.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', 1) });
    }
    return new Program(clients);
  }

  get framesPerS(): number {
    return Math.round((10_000 * this.sent) / (performance.now() - this.#startMs)) / 10;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const client of this.#clients) client.destroy();
  }

  /** All that is due by now. */
  #send(): void {
    const due = Math.floor((performance.now() - this.#startMs) / FRAME_EVERY_MS);
    while (this.sent < due) this.#sendNext();
  }

  #sendNext(): void {
    this.sent += 1;
    const name = this.sent % FRAMES_PER_KEY === 1 ? 'avc key' : 'avc delta';
    const payload = payloadOf(name, this.sent, FRAME_BYTES);
    const message = { kind: FrameKind.video, timestamp: this.sent * FRAME_EVERY_MS, payload };
    for (const client of this.#clients) client.frame(message);
  }
}

/** A player that counts what it should have got, and did not. */
class Seat {
  frames = 0;
  lost = 0;
  lastId = 0;
  isOver = false;
  /** When the first frame came, monotonic ms. */
  firstMs = Number.NaN;
  readonly startedMs = performance.now();
  readonly #asked: ReturnType<typeof request>;

  constructor(url: string) {
    const reader = new FlvReader();
    const over = () => {
      this.isOver = true;
    };
    this.#asked = request(url, { agent: false }, (response) => {
      if (response.statusCode !== 200) over();
      else response.on('data', (bytes: Buffer) => this.#take(reader, bytes));
      response.on('close', over);
      response.on('error', over);
    });
    this.#asked.on('error', over);
    this.#asked.end();
  }

  leave(): void {
    this.#asked.destroy();
  }

  #take(reader: FlvReader, bytes: Buffer): void {
    for (const { kind, payload } of reader.push(bytes)) {
      // Sequence headers and metadata have no number.
      if (kind !== FrameKind.video || payload[1] === 0) continue;
      const id = idOf(kind, payload);
      if (this.lastId === 0) this.firstMs = performance.now();
      else if (id !== this.lastId + 1) this.lost += Math.max(1, id - this.lastId - 1);
      this.frames += 1;
      this.lastId = id;
    }
  }
}

/** One place of the crowd: a connection, and the next one once it is closed. */
class Attacker {
  opened = 0;
  readonly #ports: AttackedPorts;
  readonly #at: number;
  readonly #timer: NodeJS.Timeout;
  #socket: RawSocket;

  constructor(ports: AttackedPorts, at: number) {
    this.#ports = ports;
    this.#at = at;
    this.#socket = this.#open();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket.socket.destroy();
  }

  /** The last kind connects, goes, and comes back. */
  get #kind(): (typeof KINDS)[number] | undefined {
    return KINDS[this.#at % (KINDS.length + 1)];
  }

  #open(): RawSocket {
    this.opened += 1;
    const { door, begin } = this.#kind ?? { door: 'rtmp', begin: C0_C1 };
    const port = door === 'rtmp' ? this.#ports.rtmpPort : this.#ports.httpPort;
    const socket = new RawSocket(port, `127.0.0.${2 + (this.#at % ADDRESSES)}`);
    return begin.length > 0 ? socket.write(begin) : socket;
  }

  #tick(): void {
    const kind = this.#kind;
    if (!kind) this.#socket.socket.destroy();
    if (!kind || this.#socket.isClosed) this.#socket = this.#open();
    else if (kind.tick.length > 0) this.#socket.write(kind.tick);
  }
}

/** Joins and asks, one after the other, and looks at the memory of the node. */
class Watch {
  readonly joins: number[] = [];
  asked = 0;
  failed = 0;
  worstMs = 0;
  mostMib = 0;
  readonly #node: NodeProcess;
  readonly #publishers: number;

  constructor(node: NodeProcess, publishers: number) {
    this.#node = node;
    this.#publishers = publishers;
  }

  async run(ms: number): Promise<void> {
    const untilMs = performance.now() + ms;
    const repeat = async (act: () => Promise<void>, everyMs: number) => {
      while (performance.now() < untilMs) {
        await act();
        await delay(everyMs);
      }
    };
    await Promise.all([
      repeat(() => this.#join(), 20),
      repeat(() => this.#ask('/api/v1/status'), 100),
      repeat(() => this.#ask('/healthz'), 100),
      repeat(async () => {
        this.mostMib = Math.max(this.mostMib, await residentMib(this.#node));
      }, 1_000),
    ]);
  }

  async #join(): Promise<void> {
    const seat = new Seat(this.#node.flvUrl(`live/s${this.joins.length % this.#publishers}`));
    const patienceMs = performance.now() + 5_000;
    while (seat.lastId === 0 && !seat.isOver && performance.now() < patienceMs) await delay(2);
    this.joins.push(seat.lastId === 0 ? 5_000 : seat.firstMs - seat.startedMs);
    seat.leave();
  }

  async #ask(path: string): Promise<void> {
    const startedMs = performance.now();
    const { status } = await this.#node.get(path);
    this.asked += 1;
    if (status !== 200) this.failed += 1;
    this.worstMs = Math.max(this.worstMs, performance.now() - startedMs);
  }
}

async function residentMib(node: NodeProcess): Promise<number> {
  return Math.round(((await node.metric('process_resident_memory_bytes')) ?? 0) / MIB);
}

function partOf(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN);
}
