// All links of this node: listens, dials, sees to it that there is one link per node, and keeps links to some nodes open
// by itself. What is said on them is the owner's.
import { type Clock, every, type Timer } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Table } from '../base/table.ts';
import { MaskedCopies } from '../format/ws-frame.ts';
import { CodeCounter } from '../observe/metrics.ts';
import type { NodeRecord } from '../registry/registry.ts';
import { AddressBook } from './address-book.ts';
import { Backoff } from './backoff.ts';
import { channelOf, type MeshTls } from './channel.ts';
import { dial } from './dial.ts';
import { MeshDoor } from './door.ts';
import { AcceptorHandshake, DiallerHandshake, type HandshakeOptions, type Identity } from './handshake.ts';
import { type Connection, Link, type LinkNeeds } from './link.ts';
import { oneLink } from './one-link.ts';
import { OwnTime, PULSE_MS } from './own-time.ts';
import type { LinkOwner, LinkQuality, Peer } from './peer.ts';
import { QuietLog } from './quiet-log.ts';

export const BEAT_MS = 200;
/** From the dialling of one address to the peer's proof. */
const DIAL_ADDRESS_MS = 1_000;
/** Over all addresses of a node. */
const DIAL_MS = 3_000;
/** Nodes to which links are kept open without anybody asking. */
export const MAX_KEPT = 32;
/** Open links; a cluster has not so many nodes. */
const MAX_LINKS = 4_096;
/** Sockets close within link.ts's CLOSE_MS; what then is not closed is left to the end of the process. */
const STOP_MS = 2_000;

export interface LinksOptions {
  readonly self: Identity & {
    /** Host id, as in node records. */
    readonly host: string;
  };
  readonly secret: string;
  readonly listen: {
    readonly host: string;
    /** 0 takes any free one. */
    readonly port: number;
  };
  /** Undefined: nodes don't speak TLS. */
  readonly tls?: MeshTls | undefined;
}

export interface LinksNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: LinkOwner;
  /** Registry time as the registry itself told it, ms since 1970; 0: not known. */
  readonly registryWallMs: () => number;
  /** 0 to 1: spreads what many nodes do at once. */
  readonly random: () => number;
  /** 64 random hex digits, never the same twice. */
  readonly nonce: () => string;
}

const TOO_MANY: Reason = { code: 'mesh.too-many-links', message: `the node has ${MAX_LINKS} links` };
const STOPPING: Reason = { code: 'node.stopping', message: 'the node is stopping' };

export class Links {
  readonly #options: LinksOptions;
  readonly #needs: LinksNeeds;
  readonly #linkNeeds: LinkNeeds;
  readonly #quietLog: QuietLog;
  readonly #door: MeshDoor;
  readonly #book: AddressBook;
  readonly #ownTime: OwnTime;
  /** Open links, by node. Bounded by MAX_LINKS. */
  readonly #open = new Map<string, Link>();
  /** Every link whose socket is not closed yet: open ones, those that shake hands, those that close. */
  readonly #all = new Set<Link>();
  /** Dials under way, by node. */
  readonly #dials = new Map<string, Promise<Peer>>();
  /** Who waits for a link to a node, however it comes: one for each of #dials. */
  readonly #awaited = new Map<string, (link: Link) => void>();
  /** Nodes to which a link is kept open. Bounded by MAX_KEPT. */
  readonly #kept = new Map<string, Backoff>();
  readonly #timers: Timer[] = [];
  readonly #stopped = new AbortController();
  #stopping: Promise<void> | undefined;
  /** Called when the last link's socket has closed. */
  #emptied: () => void = () => {};
  #goneBytesIn = 0;
  #goneBytesOut = 0;
  /** Links that were opened, ever. */
  accepted = 0;
  dialled = 0;
  /** Peers that were told no, this node's own dials included; peers that broke the protocol. */
  readonly refused = new CodeCounter();
  readonly wireErrors = new CodeCounter();

  constructor(options: LinksOptions, needs: LinksNeeds) {
    const { clock, log, owner, registryWallMs } = needs;
    this.#options = options;
    this.#needs = needs;
    this.#book = new AddressBook(options.self);
    this.#ownTime = new OwnTime(clock.now());
    this.#quietLog = new QuietLog({ clock, log });
    const counters = {
      refused: (code: string) => this.refused.count(code),
      wireError: (code: string) => this.wireErrors.count(code),
    };
    this.#linkNeeds = {
      clock,
      log,
      quietLog: this.#quietLog,
      counters,
      owner,
      ownTime: this.#ownTime,
      masks: new MaskedCopies(),
      registryWallMs,
      unwanted: (peer) => this.#unwanted(peer, peer.node),
      opened: (link) => this.#opened(link),
      ended: (link, why) => this.#ended(link, why),
      gone: (link) => this.#gone(link),
    };
    this.#door = new MeshDoor(
      { ...options.listen, tls: options.tls },
      {
        clock,
        log,
        quietLog: this.#quietLog,
        counters,
        connected: (connection) => this.#cameIn(connection),
      },
    );
  }

  /** The port that it listens on; 0 before `start`. */
  get port(): number {
    return this.#door.port;
  }

  get tables(): Table[] {
    return [
      { table: 'mesh_links', entries: this.#open.size, limit: MAX_LINKS },
      { table: 'mesh_links_kept', entries: this.#kept.size, limit: MAX_KEPT },
      { table: 'mesh_dials', entries: this.#dials.size, limit: undefined },
      { table: 'mesh_sockets', entries: this.#all.size, limit: undefined },
      this.#door.table,
      this.#book.table,
      { ...this.#quietLog.table, table: 'mesh_quiet_log' },
    ];
  }

  /** Connections that came in and have not proven who they are. */
  get unproven(): number {
    return this.#door.unproven;
  }

  /** Open links. */
  get size(): number {
    return this.#open.size;
  }

  /** The slowest round trip, ms, and the greatest loss of beats of all open links; 0 without one. */
  get worst(): Pick<LinkQuality, 'rttMs' | 'lossShare'> {
    let [rttMs, lossShare] = [0, 0];
    for (const { quality } of this.#open.values()) {
      rttMs = Math.max(rttMs, quality?.rttMs ?? 0);
      lossShare = Math.max(lossShare, quality?.lossShare ?? 0);
    }
    return { rttMs, lossShare };
  }

  /** Lines about peers that were left out of the log. */
  get linesLeftOut(): number {
    return this.#quietLog.leftOut;
  }

  /** Bytes read from all peers ever, those that are gone included. */
  get bytesIn(): number {
    let sum = this.#goneBytesIn;
    for (const link of this.#all) sum += link.receivedBytes;
    return sum;
  }

  /** Bytes written to all peers ever. */
  get bytesOut(): number {
    let sum = this.#goneBytesOut;
    for (const link of this.#all) sum += link.sentBytes;
    return sum;
  }

  /**
   * Listens, and begins to beat.
   * @throws TidewayError `listen.busy`, `listen.failed`
   */
  async start(): Promise<void> {
    const { clock } = this.#needs;
    await this.#door.start();
    this.#ownTime.pulse(clock.now());
    this.#timers.push(
      every(clock, PULSE_MS, () => this.#pulse()),
      every(clock, BEAT_MS, () => this.#beat()),
    );
  }

  /** Closes every link with `why`, and the port. Resolves within 2 s. Calm when repeated. */
  stop(why: Reason = STOPPING): Promise<void> {
    this.#stopping ??= this.#stop(why);
    return this.#stopping;
  }

  /** The open link to a node. */
  get(node: string): Peer | undefined {
    const link = this.#open.get(node);
    return link?.isOpen ? link : undefined;
  }

  /** All open links. */
  list(): readonly Peer[] {
    return [...this.#open.values()].filter(({ isOpen }) => isOpen);
  }

  /** Takes the registry's list of nodes as it is now: called after each of its beats. */
  setNodes(records: readonly NodeRecord[]): void {
    const nowMs = this.#needs.clock.now();
    this.#book.setNodes(records, nowMs);
    const { self } = this.#options;
    const chosen = new Set(closest(self.node, this.#book.nodes(), MAX_KEPT));
    for (const node of this.#kept.keys()) if (!chosen.has(node)) this.#kept.delete(node);
    for (const node of chosen) {
      if (this.#kept.has(node)) continue;
      this.#kept.set(node, new Backoff(self.node < node, this.#needs.random, nowMs));
    }
    this.#keep(nowMs);
  }

  /**
   * The link to a node: the open one, or one that is dialled now, or that comes in meanwhile. One dial at a time.
   * @throws TidewayError `mesh.unreachable` with the last cause, within 3 s; `node.stopping`
   */
  dial(node: string): Promise<Peer> {
    const open = this.get(node);
    if (open) return Promise.resolve(open);
    if (this.#stopping) return Promise.reject(asError(STOPPING));
    const underWay = this.#dials.get(node);
    if (underWay) return underWay;
    const dialling = this.#dial(node).finally(() => {
      this.#dials.delete(node);
      this.#awaited.delete(node);
    });
    this.#dials.set(node, dialling);
    return dialling;
  }

  /** Registry time as the linked nodes know it: the median, ms since 1970; undefined if none does. */
  peersRegistryWallMs(): number | undefined {
    const known: number[] = [];
    for (const link of this.#open.values()) {
      const wallMs = link.registryWallMs;
      if (wallMs !== undefined) known.push(wallMs);
    }
    return known.sort((a, b) => a - b)[Math.floor((known.length - 1) / 2)];
  }

  async #stop(why: Reason): Promise<void> {
    this.#stopped.abort();
    const closed = this.#door.stop();
    for (const link of [...this.#all]) link.close(why);
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
      if (this.#all.size === 0) resolve();
    });
    let patience: Timer | undefined;
    const overdue = new Promise<void>((resolve) => {
      patience = this.#needs.clock.after(STOP_MS, resolve);
    });
    await Promise.race([Promise.all([closed, emptied]), overdue]);
    patience?.cancel();
    for (const timer of this.#timers) timer.cancel();
  }

  #pulse(): void {
    this.#ownTime.pulse(this.#needs.clock.now());
    this.#needs.clock.soon(() => this.#ownTime.polled());
  }

  #beat(): void {
    const nowMs = this.#needs.clock.now();
    for (const link of [...this.#open.values()]) link.beat(nowMs);
    this.#keep(nowMs);
  }

  /** Dials those of the kept nodes that have no link, when their time has come. */
  #keep(nowMs: number): void {
    if (this.#stopping) return;
    for (const [node, backoff] of this.#kept) {
      if (this.#open.has(node) || this.#dials.has(node) || !backoff.isDue(nowMs)) continue;
      this.dial(node).catch((error: TidewayError) => {
        backoff.failed(this.#needs.clock.now());
        const { code, message } = error;
        this.#quietLog.dialFailed(node, { peer: node, code, detail: message });
      });
    }
  }

  async #dial(node: string): Promise<Peer> {
    const cameMeanwhile = new Promise<Link>((resolve) => this.#awaited.set(node, resolve));
    const untilMs = this.#needs.clock.now() + DIAL_MS;
    let last: TidewayError | undefined;
    for (const address of this.#book.addressesOf(node, this.#needs.clock.now())) {
      const leftMs = untilMs - this.#needs.clock.now();
      if (leftMs <= 0) break;
      try {
        return await Promise.race([
          cameMeanwhile,
          this.#reach(node, address, Math.min(leftMs, DIAL_ADDRESS_MS)),
        ]);
      } catch (error) {
        last = error as TidewayError;
      }
      // The peer may have closed this one because there is another.
      const open = this.get(node);
      if (open) return open;
      if (this.#stopping) throw asError(STOPPING);
    }
    const why = last ? last.message : 'no address of it is known';
    throw new TidewayError(
      'mesh.unreachable',
      `node ${node} can't be reached: ${why}`,
      { peer: node },
      { cause: last },
    );
  }

  /** Resolves with the link when the node at the address has proven to be the one. */
  #reach(node: string, address: string, withinMs: number): Promise<Link> {
    const { clock } = this.#needs;
    return new Promise<Link>((resolve, reject) => {
      const end = new AbortController();
      let link: Link | undefined;
      const timer = clock.after(withinMs, () => {
        end.abort();
        link?.close({ code: 'mesh.handshake-timeout', message: `${address} did not prove itself in time` });
      });
      const stop = () => end.abort();
      this.#stopped.signal.addEventListener('abort', stop, { once: true });
      const settle = () => {
        timer.cancel();
        this.#stopped.signal.removeEventListener('abort', stop);
      };
      const connected = (connection: Connection) => {
        const handshake = new DiallerHandshake(this.#handshakeOptions(connection), node);
        link = new Link(connection, handshake, {
          ...this.#linkNeeds,
          unwanted: (peer) => this.#unwanted(peer, this.#options.self.node),
          opened: (opened) => {
            settle();
            this.dialled += 1;
            this.#book.worked(node, address);
            this.#opened(opened);
            resolve(opened);
          },
          ended: (ended, why) => {
            settle();
            this.#ended(ended, why);
            reject(asError(why));
          },
        });
        this.#all.add(link);
      };
      const failed = (error: TidewayError) => {
        settle();
        reject(error);
      };
      dial({ address, tls: this.#options.tls }, end.signal, { connected, failed });
    });
  }

  #cameIn(connection: Connection): void {
    if (this.#stopping) {
      connection.socket.destroy();
      return;
    }
    const link = new Link(connection, new AcceptorHandshake(this.#handshakeOptions(connection)), {
      ...this.#linkNeeds,
      opened: (opened) => {
        this.#door.proven(connection.socket);
        this.accepted += 1;
        this.#opened(opened);
      },
    });
    this.#all.add(link);
  }

  #handshakeOptions({ socket }: Connection): HandshakeOptions {
    const { self, secret, tls } = this.#options;
    return { self, secret, nonce: this.#needs.nonce(), channel: channelOf(socket, tls) };
  }

  /** Why a link to the peer, dialled by this or that node, is not to be; undefined if it is. */
  #unwanted(peer: Identity, dialledBy: string): Reason | undefined {
    if (this.#stopping) return STOPPING;
    const old = this.#open.get(peer.node);
    if (!old?.isOpen) return this.#open.size < MAX_LINKS || old ? undefined : TOO_MANY;
    const verdict = this.#verdict(old, { boot: peer.boot, dialledBy });
    return verdict.stays === 'old' ? verdict.why : undefined;
  }

  #verdict(old: Link, next: { boot: string; dialledBy: string }) {
    const self = this.#options.self.node;
    const silentMs = old.silentMs(this.#needs.clock.now());
    const dialledBy = old.isDialled ? self : old.node;
    return oneLink({ boot: old.boot, dialledBy, silentMs }, next, [self, old.node]);
  }

  #opened(link: Link): void {
    const { node, boot, version, remote, isDialled } = link;
    const self = this.#options.self.node;
    const old = this.#open.get(node);
    this.#open.set(node, link);
    if (old) old.close(this.#verdict(old, { boot, dialledBy: isDialled ? self : node }).why);
    this.#needs.log.info({ peer: node, boot, version, remote, isDialled }, 'mesh.link-open');
    if (link.isOpen) this.#needs.owner.opened(link);
    this.#awaited.get(node)?.(link);
  }

  #ended(link: Link, why: Reason): void {
    if (!link.wasOpen) return;
    const { node, boot, remote, receivedBytes: bytesIn, sentBytes: bytesOut } = link;
    const nowMs = this.#needs.clock.now();
    const lastedMs = nowMs - link.sinceMs;
    if (this.#open.get(node) === link) {
      this.#open.delete(node);
      this.#kept.get(node)?.lost(nowMs, lastedMs);
    }
    const durationMs = Math.round(lastedMs);
    const fields = { reason: why.code, detail: why.message, durationMs, bytesIn, bytesOut };
    this.#needs.log.info({ peer: node, boot, remote, ...fields }, 'mesh.link-closed');
    try {
      this.#needs.owner.closed(link, why);
    } catch (err) {
      this.#needs.log.error({ peer: node, remote, err }, 'mesh.internal-error');
    }
  }

  #gone(link: Link): void {
    if (!this.#all.delete(link)) return;
    this.#goneBytesIn += link.receivedBytes;
    this.#goneBytesOut += link.sentBytes;
    if (this.#all.size === 0) this.#emptied();
  }
}

function asError({ code, message }: Reason): TidewayError {
  return new TidewayError(code, message);
}

/** Up to `count` of the nodes, for each node others; both ends of a pair see the same distance between them. */
function closest(self: string, nodes: readonly string[], count: number): readonly string[] {
  if (nodes.length <= count) return nodes;
  const ranked = nodes.map((node) => ({ node, distance: distanceOf(self, node) }));
  ranked.sort((a, b) => a.distance - b.distance || (a.node < b.node ? -1 : 1));
  return ranked.slice(0, count).map(({ node }) => node);
}

/** FNV-1a of both ids in order. */
function distanceOf(a: string, b: string): number {
  let hash = 0x811c9dc5;
  for (const char of a < b ? `${a} ${b}` : `${b} ${a}`) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  }
  return hash;
}
