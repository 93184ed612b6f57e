// A live stream that must not notice what is done to its node: one publisher with numbered frames, and a player of
// each protocol, who hold every frame to be the one after the last.
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { FlvReader } from '../../src/format/flv.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { idOf, kindOf, type PayloadName, payloadOf } from './media.ts';
import { RtmpClient } from './rtmp-client.ts';
import type { RunningNode } from './running-node.ts';
import { until } from './until.ts';

const KEY_EVERY = 25;
const FRAME_BYTES = 300;
const FRAME_EVERY_MS = 10;
/** Frames may be late while a case keeps the one event loop of the test busy; they may not be lost. */
const PATIENCE_MS = 15_000;

/** One protocol's player: counts, and keeps only what went wrong. */
class WitnessPlayer {
  readonly protocol: string;
  readonly faults: string[] = [];
  lastId = 0;
  /** The longest that a frame was under way, ms. */
  worstMs = 0;
  readonly #sentMs: ReadonlyMap<number, number>;

  constructor(protocol: string, sentMs: ReadonlyMap<number, number>) {
    this.protocol = protocol;
    this.#sentMs = sentMs;
  }

  saw(kind: number, payload: Buffer): void {
    if (kind === FrameKind.data || payload[1] === 0) return;
    const id = idOf(kind, payload);
    if (this.lastId > 0 && id !== this.lastId + 1) this.fault(`got frame ${id} after ${this.lastId}`);
    this.lastId = id;
    this.worstMs = Math.max(this.worstMs, performance.now() - (this.#sentMs.get(id) ?? Number.NaN));
  }

  fault(what: string): void {
    if (this.faults.length < 5) this.faults.push(`${this.protocol} ${what}`);
  }
}

export class Witness {
  readonly #publisher: RtmpClient;
  readonly #players: readonly WitnessPlayer[];
  readonly #leave: readonly (() => void)[];
  /** When the newest frames were sent; older ones are forgotten. */
  readonly #sentMs: Map<number, number>;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;
  #lastTickMs = performance.now();
  #worstStallMs = 0;

  private constructor(
    publisher: RtmpClient,
    players: readonly WitnessPlayer[],
    leave: readonly (() => void)[],
    sentMs: Map<number, number>,
  ) {
    this.#publisher = publisher;
    this.#players = players;
    this.#leave = leave;
    this.#sentMs = sentMs;
    this.#timer = setInterval(() => this.#send(), FRAME_EVERY_MS);
  }

  /** A witness whose players all play. */
  static async start(node: RunningNode, query = ''): Promise<Witness> {
    const key = 'witness/stream';
    const publisher = await RtmpClient.publishing(node.rtmpPort, `stream${query}`, 'witness');
    publisher.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', 1) });
    publisher.frame({ kind: FrameKind.audio, timestamp: 0, payload: payloadOf('aac header', 1) });
    const sentMs = new Map<number, number>();
    const http = new WitnessPlayer('http-flv', sentMs);
    const ws = new WitnessPlayer('ws-flv', sentMs);
    const rtmp = new WitnessPlayer('rtmp', sentMs);
    const leave = [
      playHttpFlv(node.flvUrl(key), http),
      playWsFlv(node.wsUrl(key), ws),
      await playRtmp(node.rtmpPort, rtmp),
    ];
    const witness = new Witness(publisher, [http, ws, rtmp], leave, sentMs);
    await until('the witness plays', () => witness.#players.every(({ lastId }) => lastId > 0));
    return witness;
  }

  /** Frames sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * The longest since this was asked last that a frame was under way, or that one was not sent because the event loop,
   * which node, attackers and witness share, was busy: ms.
   */
  takeWorstMs(): number {
    const worst = Math.max(this.#worstStallMs, ...this.#players.map(({ worstMs }) => worstMs));
    for (const player of this.#players) player.worstMs = 0;
    this.#worstStallMs = 0;
    return worst;
  }

  /**
   * Resolves once every player has every frame that was sent so far, and some more.
   * @throws Error if one was lost, came twice, or a connection of the witness ended
   */
  async undisturbed(): Promise<void> {
    const sent = this.#sent + 3;
    await until(
      `the witness got frame ${sent}`,
      () => this.#faults().length > 0 || this.#players.every(({ lastId }) => lastId >= sent),
      PATIENCE_MS,
    );
    const faults = this.#faults();
    if (faults.length > 0) throw new Error(`the witness was disturbed: ${faults.join('; ')}`);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const leave of this.#leave) leave();
    this.#publisher.destroy();
  }

  #faults(): string[] {
    const lost = this.#publisher.isClosed ? ['the publisher was closed'] : [];
    return [...lost, ...this.#players.flatMap(({ faults }) => faults)];
  }

  #send(): void {
    const nowMs = performance.now();
    this.#worstStallMs = Math.max(this.#worstStallMs, nowMs - this.#lastTickMs - FRAME_EVERY_MS);
    this.#lastTickMs = nowMs;
    this.#sent += 1;
    const id = this.#sent;
    const name: PayloadName = id % KEY_EVERY === 1 ? 'avc key' : id % 2 === 0 ? 'aac sample' : 'avc delta';
    this.#sentMs.set(id, nowMs);
    this.#sentMs.delete(id - 10_000);
    this.#publisher.frame({
      kind: kindOf(name),
      timestamp: id * FRAME_EVERY_MS,
      payload: payloadOf(name, id, FRAME_BYTES),
    });
  }
}

function playHttpFlv(url: string, player: WitnessPlayer): () => void {
  const reader = new FlvReader();
  const asked = request(url, { agent: false }, (response) => {
    if (response.statusCode !== 200) player.fault(`was told ${response.statusCode}`);
    response.on('data', (bytes: Buffer) => {
      for (const { kind, payload } of reader.push(bytes)) player.saw(kind, payload);
    });
    response.on('close', () => player.fault('was closed'));
    response.on('error', () => {}); // 'close' follows
  });
  asked.on('error', ({ message }) => player.fault(message));
  asked.end();
  return () => asked.destroy();
}

function playWsFlv(url: string, player: WitnessPlayer): () => void {
  const reader = new FlvReader();
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('message', (bytes: Buffer) => {
    for (const { kind, payload } of reader.push(bytes)) player.saw(kind, payload);
  });
  socket.on('error', ({ message }) => player.fault(message));
  socket.on('close', (code) => player.fault(`was closed with ${code}`));
  return () => socket.terminate();
}

async function playRtmp(port: number, player: WitnessPlayer): Promise<() => void> {
  const client = await RtmpClient.playing(port, 'stream', 'witness');
  client.socket.on('close', () => player.fault('was closed'));
  // The client keeps what it gets; a witness that runs for long must not.
  client.socket.on('data', () => {
    for (const { kind, payload } of client.media) player.saw(kind, payload);
    client.messages.length = 0;
  });
  return () => client.destroy();
}
