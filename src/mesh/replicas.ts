// All streams that this node relays, or looks for: when one is looked for, who is told of its way, and when it goes.
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Control } from '../format/mesh/control.ts';
import type { Stream } from '../media/stream.ts';
import { CodeCounter } from '../observe/metrics.ts';
import type { UpstreamDecision } from '../routing/decisions.ts';
import type { TreePlace } from './downstreams.ts';
import { isLinkSilent, WATCH_EVERY_MS } from './failure-detector.ts';
import { MAX_HELD_BACK } from './intake.ts';
import type { Peer } from './peer.ts';
import { Replica, type ReplicaNeeds, type ReplicaOptions, type ReplicaOwner } from './replica.ts';
import { type Sources, UNKNOWN_MS } from './sources.ts';
import type { SwitchCause } from './switch-cause.ts';

/** Tells the registry which streams this node can feed. */
export interface ReplicaRegister {
  /** This node relays the stream; said again when something of it changed. */
  keep(key: StreamKey, replica: { epoch: number; hops: number; upstream: string }): void;
  /** Calm when it was not kept. */
  drop(key: StreamKey): void;
}

export interface ReplicasNeeds extends Omit<ReplicaNeeds, 'owner' | 'sources'> {
  readonly clock: Clock;
  readonly sources: Sources;
  readonly register: ReplicaRegister;
  /** The stream, if it is on this node. */
  readonly streamOf: (key: StreamKey) => Stream | undefined;
  /** Does somebody wait for it who is to have it at once: a player, or a backup publisher? */
  readonly isWaitedFor: (key: StreamKey) => boolean;
  /** The way from the origin to this node changed: its children are told. */
  readonly pathChanged: (stream: Stream) => void;
  /** An epoch of another node: claims of this node are above it. */
  readonly sawEpoch: (epoch: number) => void;
  /** A replica chose who feeds it. */
  readonly decided: (decision: UpstreamDecision) => void;
}

export class Replicas implements ReplicaOwner {
  readonly #options: ReplicaOptions;
  readonly #needs: ReplicasNeeds;
  /** Bounded by the streams of this node, the keys that players may wait for, and those that are wanted. */
  readonly #replicas = new Map<StreamKey, Replica>();
  #watch: Timer | undefined;
  #lookedMs = 0;
  /** Counters that metrics read. */
  readonly switches = new CodeCounter('cause');
  movesRefused = 0;
  splices = 0;
  gaps = 0;
  fences = 0;
  resumes = 0;
  skippedFrames = 0;

  constructor(options: ReplicaOptions, needs: ReplicasNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  get count(): number {
    return this.#replicas.size;
  }

  get tables(): Table[] {
    let [shunned, heldBack] = [0, 0];
    for (const replica of this.#replicas.values()) {
      shunned += replica.shunnedCount;
      heldBack += replica.heldBackCount;
    }
    return [
      { table: 'relayed_streams', entries: this.#replicas.size, limit: undefined },
      { table: 'shunned_nodes', entries: shunned, limit: undefined },
      { table: 'frames_held_back', entries: heldBack, limit: this.#replicas.size * MAX_HELD_BACK },
    ];
  }

  /** The replica of a stream; undefined if this node is its origin, or doesn't have it. */
  get(key: StreamKey): Replica | undefined {
    return this.#replicas.get(key);
  }

  /** Where this node stands with a stream that it has. */
  placeInTree(stream: Stream): TreePlace {
    const replica = this.#replicas.get(stream.key);
    if (replica) return { path: replica.path, isSwitching: replica.isSwitching };
    const isOrigin = stream.state.at === 'live' || stream.state.at === 'held';
    return { path: isOrigin ? [this.#options.self] : undefined, isSwitching: false };
  }

  /** Begins to watch links and streams. */
  start(): void {
    this.#lookedMs = this.#needs.clock.now();
    this.#watch = every(this.#needs.clock, WATCH_EVERY_MS, () => this.#look());
  }

  /** Lets go of every stream; players are the directory's. */
  stop(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    for (const replica of [...this.#replicas.values()]) this.#remove(replica);
  }

  /** Somebody wants a stream that is not here. */
  seek(key: StreamKey): void {
    if (!this.#replicas.has(key) && !this.#needs.streamOf(key)) this.#begin(key, [], undefined);
  }

  /** The stream is here without a source, and may have an origin elsewhere. */
  follow(stream: Stream, first: readonly string[]): void {
    if (!this.#replicas.has(stream.key) && stream.state.at === 'held') this.#begin(stream.key, first, stream);
  }

  /** A peer says that it is a stream's origin, or the registry gave a hint of one. */
  originAt(node: string, key: StreamKey, epoch: number): void {
    this.#needs.sources.hear(key);
    this.#needs.sawEpoch(epoch);
    if (node === this.#options.self) return;
    const replica = this.#replicas.get(key);
    const stream = this.#needs.streamOf(key);
    if (replica) replica.originAt(node, epoch);
    else if (stream && epoch > stream.epoch) this.follow(stream, [node]);
    else if (!stream && this.#isSought(key)) this.#begin(key, [node], undefined);
  }

  /** A peer has a higher epoch of a stream than this node, which relays it. */
  fencedAt(key: StreamKey): void {
    this.#needs.sources.hear(key);
    this.#replicas.get(key)?.hear();
  }

  /** A stream of this node went live, into hold, or ended. */
  streamChanged(stream: Stream): void {
    const { key, state } = stream;
    const replica = this.#replicas.get(key);
    if (!replica) return;
    const isReplaced = state.at === 'live' && state.source !== replica;
    if (state.at !== 'ended' && !isReplaced) return;
    this.#remove(replica);
    if (isReplaced) this.#needs.pathChanged(stream);
  }

  /** The peer leaves: what it feeds is moved while it is still there. */
  goAway(peer: Peer, { deadlineMs, only }: Pick<Control<'goaway'>, 'deadlineMs' | 'only'>): void {
    this.#needs.log.info({ peer: peer.node, deadlineMs }, 'mesh.goaway');
    for (const upstream of this.#needs.subscriptions.fedBy(peer)) {
      const isItsOwn = upstream.path.length === 1;
      if (!(only === 'relayed' && isItsOwn)) this.#replicas.get(upstream.key)?.leave(peer, 'goaway');
    }
  }

  /** A beat told heads of streams that a peer feeds. */
  headsTold(peer: Peer, { heads, cameAt = [] }: Pick<Control<'beat'>, 'heads' | 'cameAt'>): void {
    const { quality } = peer;
    for (const [at, head] of heads.entries()) {
      const told = this.#needs.subscriptions.headTold(peer, head);
      if (!told) continue;
      const theirMs = cameAt[at];
      // An older node does not tell it; and without a sample nobody knows what the time there is here.
      const cameMs = theirMs === undefined || !quality ? undefined : theirMs - quality.offsetMs;
      this.#replicas.get(told.upstream.key)?.peerAt(told.upstream, told.place, cameMs);
    }
  }

  /** The hops whose delay is known. */
  *hopDelays(): Generator<{ readonly key: StreamKey; readonly from: string; readonly delayMs: number }> {
    for (const { key, upstreamNode: from, hopDelayMs: delayMs } of this.#replicas.values()) {
      if (from !== undefined && delayMs !== undefined) yield { key, from, delayMs };
    }
  }

  // From the replicas

  moved(replica: Replica): void {
    const { key, path, epoch, upstreamNode } = replica;
    const stream = this.#needs.streamOf(key);
    if (stream) this.#needs.pathChanged(stream);
    this.#needs.sawEpoch(epoch);
    if (path && upstreamNode !== undefined && epoch > 0) {
      this.#needs.register.keep(key, { epoch, hops: path.length - 1, upstream: upstreamNode });
    } else this.#needs.register.drop(key);
  }

  gaveUp(replica: Replica): void {
    this.#remove(replica);
    this.#needs.clock.after(UNKNOWN_MS, () => {
      // What is only wanted is sought again in its own time (wants.ts).
      if (this.#watch && this.#needs.isWaitedFor(replica.key)) this.seek(replica.key);
    });
  }

  switched(cause: SwitchCause, decision: UpstreamDecision): void {
    this.switches.count(cause);
    this.#needs.decided(decision);
  }

  stayed(): void {
    this.movesRefused += 1;
  }

  spliced(verdict: 'splice' | 'gap'): void {
    if (verdict === 'gap') this.gaps += 1;
    else this.splices += 1;
  }

  fenced(): void {
    this.fences += 1;
  }

  resumed(): void {
    this.resumes += 1;
  }

  skipped(frames: number): void {
    this.skippedFrames += frames;
  }

  #begin(key: StreamKey, first: readonly string[], stream: Stream | undefined): void {
    const replica = new Replica(key, this.#options, { ...this.#needs, owner: this }, stream);
    this.#replicas.set(key, replica);
    void replica.seek(first, 'first');
  }

  #remove(replica: Replica): void {
    if (this.#replicas.get(replica.key) !== replica) return;
    this.#replicas.delete(replica.key);
    this.#needs.register.drop(replica.key);
    replica.end();
  }

  #isSought(key: StreamKey): boolean {
    return this.#needs.isWaitedFor(key) || this.#needs.isWanted(key);
  }

  #look(): void {
    const nowMs = this.#needs.clock.now();
    const lateMs = Math.max(0, nowMs - this.#lookedMs - WATCH_EVERY_MS);
    this.#lookedMs = nowMs;
    const silent = new Map<Peer, boolean>();
    for (const replica of [...this.#replicas.values()]) {
      const peer = replica.upstreamPeer;
      if (peer && !silent.has(peer)) silent.set(peer, isLinkSilent(peer, nowMs));
      if (peer && silent.get(peer)) replica.leave(peer, 'silent');
      replica.look(nowMs, lateMs);
    }
  }
}
