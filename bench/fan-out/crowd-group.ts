// The players of one group of a crowd: joins them at an even pace, and says what they saw. Knows no process and no order.
import { CrowdPlayer, type Measures } from './crowd-player.ts';
import { deliveryOf } from './delivery.ts';
import { establishedPorts } from './established.ts';
import { nowUs } from './now.ts';
import type { CrowdOrder, CrowdReport } from './orders.ts';
import { Samples } from './samples.ts';

/** One of so many players looks at every frame, but at least some and not too many: the others only count bytes. */
const PLAYERS_PER_WATCHER = 50;
const MIN_WATCHERS = 8;
const MAX_WATCHERS = 40;
/** A local address has some 28,000 ports for all that it connects to. */
const LOCAL_ADDRESSES = Array.from({ length: 8 }, (_, index) => `127.0.0.${11 + index}`);
/** A player that has no key frame so long after the last one connected is not waited for. */
const JOIN_PATIENCE_MS = 20_000;
/** Nor is a player that gets no frame for so long, when its place is sought. */
const SEEK_PATIENCE_MS = 3_000;
const TICK_MS = 5;

/** What a group is made of. */
export type JoinOrder = Extract<CrowdOrder, { do: 'join' }>;
type Answer = Omit<CrowdReport, 'id'>;

/** One group: `join` once, then `measure` as often as wanted, one at a time, then `leave`. */
export class CrowdGroup {
  readonly #order: JoinOrder;
  readonly #players: CrowdPlayer[] = [];
  readonly #delays = new Samples();
  readonly #joins = new Samples();
  readonly #measures: Measures = { delays: this.#delays, joins: this.#joins, longestPauseUs: 0 };
  #sinceUs = nowUs();
  #sinceBytes = 0;
  #sinceCpu = process.cpuUsage();
  #hasLeft = false;

  constructor(order: JoinOrder) {
    this.#order = order;
  }

  /** Connects all players; returns once each has its first key frame, or has failed or is not waited for any more. */
  async join(): Promise<Answer> {
    const { players, withinMs, frozen } = this.#order;
    const startUs = nowUs();
    this.#sinceUs = startUs;
    while (this.#players.length < players && !this.#hasLeft) {
      const passed = withinMs > 0 ? (nowUs() - startUs) / 1000 / withinMs : 1;
      const due = Math.min(players, Math.floor(passed * players) + 1);
      while (this.#players.length < due) this.#players.push(this.#connect(this.#players.length));
      await ticks();
    }
    const isSettled = frozen
      ? ({ isOpen, hasAsked }: CrowdPlayer) => hasAsked || !isOpen
      : ({ isOpen, hasJoined }: CrowdPlayer) => hasJoined || !isOpen;
    await this.#until(isSettled, JOIN_PATIENCE_MS);
    return this.measure();
  }

  /** What the players saw since the last report. */
  async measure(): Promise<Answer> {
    const atUs = nowUs();
    const players = this.#players;
    const bytes = players.reduce((sum, player) => sum + player.bytes, 0);
    const { user, system } = process.cpuUsage(this.#sinceCpu);
    for (const player of players) player.notePause(atUs);
    const report = {
      bytes: bytes - this.#sinceBytes,
      delayMs: this.#delays.take(),
      joinMs: this.#joins.take(),
      longestPauseMs: this.#measures.longestPauseUs / 1000,
      spanMs: (atUs - this.#sinceUs) / 1000,
      cpuMs: (user + system) / 1000,
    };
    this.#measures.longestPauseUs = 0;
    this.#sinceUs = atUs;
    this.#sinceBytes = bytes;
    this.#sinceCpu = process.cpuUsage();
    const delivery = await this.#delivery();
    return { ...report, lost: players.length - this.#openCount(), delivery };
  }

  leave(): void {
    this.#hasLeft = true;
    for (const player of this.#players) player.leave();
  }

  #connect(index: number): CrowdPlayer {
    const { format, at, streams, players, frozen } = this.#order;
    const [host = '', port] = at.split(':');
    const watchers = Math.max(
      Math.min(players, MIN_WATCHERS),
      Math.min(MAX_WATCHERS, Math.floor(players / PLAYERS_PER_WATCHER)),
    );
    const errand = {
      format,
      host,
      port: Number(port),
      stream: streams[index % streams.length] ?? '',
      localAddress: LOCAL_ADDRESSES[index % LOCAL_ADDRESSES.length] ?? '',
      isFrozen: frozen === true,
      // Evenly over the group, and the first of it always.
      isWatcher: Math.floor((index * watchers) / players) !== Math.floor(((index - 1) * watchers) / players),
    };
    return new CrowdPlayer(errand, this.#measures);
  }

  async #delivery(): Promise<number> {
    if (this.#order.frozen) return 0;
    for (const player of this.#players) player.seek();
    await this.#until(({ isPlaced }) => isPlaced, SEEK_PATIENCE_MS);
    for (const player of this.#players) player.unseek();
    return deliveryOf(this.#players, this.#wirePerPayload(), nowUs());
  }

  #wirePerPayload(): number {
    let wire = 0;
    let payload = 0;
    for (const { errand, first, last, seenBytes } of this.#players) {
      if (!errand.isWatcher || !first || !last) continue;
      wire += last.at - first.at;
      payload += seenBytes;
    }
    return payload > 0 ? wire / payload : 1;
  }

  /** Frozen players don't notice that their server has closed: the kernel knows. */
  #openCount(): number {
    const open = this.#players.filter(({ isOpen }) => isOpen);
    if (!this.#order.frozen) return open.length;
    const ports = establishedPorts(Number(this.#order.at.split(':')[1]));
    return open.filter(({ errand, localPort }) => ports.has(`${errand.localAddress}:${localPort}`)).length;
  }

  async #until(holds: (player: CrowdPlayer) => boolean, patienceMs: number): Promise<void> {
    const endUs = nowUs() + patienceMs * 1000;
    let settled = 0;
    while (nowUs() < endUs && !this.#hasLeft) {
      for (let player = this.#players[settled]; player && holds(player); player = this.#players[settled]) {
        settled += 1;
      }
      if (settled === this.#players.length) return;
      await ticks();
    }
  }
}

function ticks(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
