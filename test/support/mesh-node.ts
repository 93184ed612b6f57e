// A node's links and nothing else of it: an owner that writes down what it is told, and peers that say anything.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/base/clock.ts';
import type { Reason } from '../../src/base/errors.ts';
import type { ControlMessage } from '../../src/format/mesh/control.ts';
import { decodeControl, encodeControl } from '../../src/format/mesh/control-codec.ts';
import { isMediaMessage, type MediaMessage, readMediaMessage } from '../../src/format/mesh/media-codec.ts';
import type { MeshTls } from '../../src/mesh/channel.ts';
import { DiallerHandshake, type Identity, SUBPROTOCOL } from '../../src/mesh/handshake.ts';
import { Links } from '../../src/mesh/links.ts';
import type { LinkOwner, Peer } from '../../src/mesh/peer.ts';
import type { NodeRecord } from '../../src/registry/registry.ts';
import { nodeRecord } from './node-record.ts';
import { secretsOf } from './secret-settings.ts';
import { secretScan } from './secrets.ts';
import { until } from './until.ts';

export const SECRET = 'the secret of these tests';

export const newBoot = () => randomBytes(8).toString('hex');

export interface MeshNodeOptions {
  readonly boot?: string;
  readonly secret?: string;
  readonly port?: number;
  readonly registryWallMs?: number;
  readonly tls?: MeshTls;
}

/** What an owner was told, in order. */
export type Told =
  | { readonly is: 'opened' | 'drained'; readonly peer: Peer }
  | { readonly is: 'closed'; readonly peer: Peer; readonly why: Reason }
  | { readonly is: 'control'; readonly peer: Peer; readonly message: ControlMessage }
  | { readonly is: 'media'; readonly peer: Peer; readonly media: MediaMessage };

export class MeshNode {
  readonly node: string;
  readonly boot: string;
  readonly links: Links;
  /** Without beats. */
  readonly told: Told[] = [];
  readonly lines: { event: string; fields: Record<string, unknown> }[] = [];
  beats = 0;
  /** For tests that want more of the owner than to write down. */
  hooks: Partial<LinkOwner> = {};

  constructor(node: string, options: MeshNodeOptions = {}) {
    this.node = node;
    this.boot = options.boot ?? newBoot();
    secretScan.use(...secretsOf({ 'mesh.secret': options.secret ?? SECRET }));
    const write = (fields: object, event: string) => {
      secretScan.line(JSON.stringify(fields));
      this.lines.push({ event, fields: { ...fields } });
    };
    this.links = new Links(
      {
        self: { node, boot: this.boot, version: '0.0.0', host: 'here' },
        secret: options.secret ?? SECRET,
        listen: { host: '127.0.0.1', port: options.port ?? 0 },
        tls: options.tls,
      },
      {
        clock: systemClock,
        log: { debug: write, info: write, warn: write, error: write },
        owner: this.#owner(),
        registryWallMs: () => options.registryWallMs ?? 0,
        random: Math.random,
        nonce: () => randomBytes(32).toString('hex'),
      },
    );
  }

  static async start(node: string, options?: MeshNodeOptions): Promise<MeshNode> {
    const started = new MeshNode(node, options);
    await started.links.start();
    return started;
  }

  get record(): NodeRecord {
    return nodeRecord(this.node, { boot: this.boot, mesh: [`127.0.0.1:${this.links.port}`] });
  }

  /** Peers that were opened and not closed yet. */
  get open(): Peer[] {
    const open = new Set<Peer>();
    for (const { is, peer } of this.told) {
      if (is === 'opened') open.add(peer);
      if (is === 'closed') open.delete(peer);
    }
    return [...open];
  }

  get closed(): { peer: Peer; why: Reason }[] {
    return this.told.flatMap((told) => (told.is === 'closed' ? [told] : []));
  }

  /** Control messages of a node, beats left out. */
  controlOf(node: string): ControlMessage[] {
    return this.told.flatMap((told) =>
      told.is === 'control' && told.peer.node === node ? [told.message] : [],
    );
  }

  events(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line.event === event).map(({ fields }) => fields);
  }

  refusals(code: string): number {
    return countOf(this.links.refused.samples(), code);
  }

  wireErrors(code: string): number {
    return countOf(this.links.wireErrors.samples(), code);
  }

  linked(node: string): Promise<Peer> {
    return until(`${this.node} has a link to ${node}`, () => this.links.get(node));
  }

  #owner(): LinkOwner {
    return {
      opened: (peer) => {
        this.told.push({ is: 'opened', peer });
        this.hooks.opened?.(peer);
      },
      control: (peer, message) => {
        if (message.is === 'beat') this.beats += 1;
        else this.told.push({ is: 'control', peer, message });
        this.hooks.control?.(peer, message);
      },
      media: (peer, media, bodyBytes) => {
        this.told.push({ is: 'media', peer, media });
        this.hooks.media?.(peer, media, bodyBytes);
      },
      drained: (peer) => {
        this.told.push({ is: 'drained', peer });
        this.hooks.drained?.(peer);
      },
      closed: (peer, why) => {
        this.told.push({ is: 'closed', peer, why });
        this.hooks.closed?.(peer, why);
      },
      heads: (peer) => this.hooks.heads?.(peer) ?? { heads: [], cameAt: [] },
    };
  }
}

function countOf(samples: readonly { value: number; labels?: unknown }[], code: string): number {
  return samples.find(({ labels }) => (labels as { code?: string } | undefined)?.code === code)?.value ?? 0;
}

/** Messages both ways between two linked nodes, all the while; each must come, once, in order. */
export class LinkWitness {
  readonly #ends: readonly [MeshNode, MeshNode];
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(a: MeshNode, b: MeshNode) {
    this.#ends = [a, b];
    this.#timer = setInterval(() => {
      this.#sent += 1;
      const message: ControlMessage = { is: 'unsub', ref: this.#sent, id: 1 };
      a.links.get(b.node)?.send(message);
      b.links.get(a.node)?.send(message);
    }, 5);
  }

  /** Resolves once everything that was sent so far has come, each once. */
  async undisturbed(): Promise<void> {
    const sent = this.#sent + 3;
    const [a, b] = this.#ends;
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      const refs = () =>
        here.controlOf(there.node).flatMap((message) => (message.is === 'unsub' ? [message.ref] : []));
      await until(`${here.node} got ${sent} messages of the witness`, () => refs().length >= sent);
      if (refs().some((ref, at) => ref !== at + 1)) throw new Error('a message of the witness was lost');
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** A peer by hand: WebSocket's part is done by ws, what it says is the test's. */
export class HandPeer {
  readonly webSocket: WebSocket;
  readonly control: ControlMessage[] = [];
  readonly media: MediaMessage[] = [];
  closedWith: { code: number; reason: string } | undefined;
  socket: Socket | undefined;

  constructor(port: number, protocol = SUBPROTOCOL) {
    this.webSocket = new WebSocket(`ws://127.0.0.1:${port}/`, protocol, { perMessageDeflate: false });
    this.webSocket.once('upgrade', ({ socket }) => {
      this.socket = socket;
    });
    this.webSocket.on('error', () => {}); // 'close' follows
    this.webSocket.on('message', (bytes: Buffer) => {
      if (isMediaMessage(bytes)) this.media.push(readMediaMessage(bytes));
      else this.control.push(decodeControl(bytes));
    });
    this.webSocket.on('close', (code, reason) => {
      this.closedWith = { code, reason: reason.toString() };
    });
  }

  static async connected(port: number): Promise<HandPeer> {
    const peer = new HandPeer(port);
    await until('the WebSocket is open', () => peer.webSocket.readyState === WebSocket.OPEN);
    return peer;
  }

  /** One that has proven itself. */
  static async proven(
    to: { readonly node: string; readonly links: { readonly port: number } },
    self: Identity,
    secret = SECRET,
  ): Promise<HandPeer> {
    const peer = await HandPeer.connected(to.links.port);
    const nonce = randomBytes(32).toString('hex');
    const handshake = new DiallerHandshake({ self, secret, nonce }, to.node);
    peer.say(handshake.open());
    const { send } = handshake.take(await peer.heard('hello'));
    if (send) peer.say(send);
    handshake.take(await peer.heard('proof'));
    return peer;
  }

  say(message: ControlMessage | Buffer | string): void {
    const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
    this.webSocket.send(isRaw ? message : encodeControl(message));
  }

  heard(is: ControlMessage['is']): Promise<ControlMessage> {
    return until(`a ${is}`, () => {
      const found = this.control.find((message) => message.is === is);
      if (!found && this.closedWith) throw new Error(`closed with ${this.closedWith.reason}`);
      return found;
    });
  }

  closed(withinMs = 5_000): Promise<{ code: number; reason: string }> {
    return until('the peer was closed', () => this.closedWith, withinMs);
  }
}

/** Bytes to a port, as they are, and all that comes back. */
export class Wire {
  readonly socket: Socket;
  isClosed = false;
  received = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.socket.on('error', () => {}); // 'close' follows
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** One that has asked for the subprotocol, and was let in. */
  static async upgraded(port: number): Promise<Wire> {
    const wire = new Wire(port);
    wire.socket.write(
      `GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n` +
        `sec-websocket-key: ${randomBytes(16).toString('base64')}\r\nsec-websocket-protocol: ${SUBPROTOCOL}\r\n\r\n`,
    );
    await until('the upgrade', () => wire.received.includes('\r\n\r\n'));
    return wire;
  }

  closed(withinMs = 5_000): Promise<boolean> {
    return until('the socket is closed', () => this.isClosed, withinMs);
  }
}
