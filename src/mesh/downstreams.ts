// The streams that peers pull from this node: who is taken in, who is told no, and in which order a link that is full
// serves them. A downstream is a reader of the stream's log like any player.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import {
  type Control,
  type ControlMessage,
  MAX_ALTERNATIVES,
  MAX_HEADS,
  MAX_WAIT_MS,
} from '../format/mesh/control.ts';
import { MeshEncoder } from '../format/mesh/mesh-encoder.ts';
import type { Stream } from '../media/stream.ts';
import { CodeCounter } from '../observe/metrics.ts';
import { readStreamKey } from '../registry/records.ts';
import { MAX_HOPS } from '../routing/upstream-cost.ts';
import { type ChildRow, Downstream, isFull, Row } from './downstream.ts';
import type { Peer, ToldHeads } from './peer.ts';

export interface DownstreamsOptions {
  /** Beyond so many children new ones are pointed to their siblings. */
  readonly softChildren: number;
  /** Beyond so many none is taken. */
  readonly maxChildren: number;
}

/** Where this node stands with a stream. */
export interface TreePlace {
  /** From the origin to this node; undefined without a live source. */
  readonly path: readonly string[] | undefined;
  /** A change of its upstream is under way. */
  readonly isSwitching: boolean;
}

export interface DownstreamsNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly streamOf: (key: StreamKey) => Stream | undefined;
  readonly placeInTree: (stream: Stream) => TreePlace;
  /** The higher, the earlier a stream is served by a full link. */
  readonly priorityOf: (key: StreamKey) => number;
  /** Is this node too short of memory for a reader that it has not had? */
  readonly refusesJoins: () => boolean;
  /** What a node is sent of a stream is added to this count; undefined: nobody asks. */
  readonly sent?: ((key: StreamKey, node: string) => ByteCount) | undefined;
  /** A peer has a higher epoch of the stream than this node. */
  readonly fenced: (key: StreamKey, epoch: number) => void;
}

/**
 * `draining`: what this node relays is to be had elsewhere, and is given only to who finds nobody else, or lacks frames; of
 * its own publishers' streams there is no other source. `stopping`: nobody is taken in.
 */
type Leaving = 'not' | 'draining' | 'stopping';

const CHILD_LEFT: Reason = { code: 'relay.child-left', message: 'the peer gave the stream back' };

export class Downstreams {
  readonly #options: DownstreamsOptions;
  readonly #needs: DownstreamsNeeds;
  /** Bounded by the links and streams of this node. */
  readonly #byPeer = new Map<Peer, Row>();
  readonly #byStream = new Map<Stream, Set<Downstream>>();
  /** One for each stream that was ever pulled, with a number of its own. */
  readonly #encoders = new WeakMap<Stream, MeshEncoder>();
  #lastRef = 0;
  #leaving: Leaving = 'not';
  /** Counters that metrics read. */
  granted = 0;
  readonly declined = new CodeCounter('why');

  constructor(options: DownstreamsOptions, needs: DownstreamsNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  get count(): number {
    let count = 0;
    for (const row of this.#byPeer.values()) count += row.byRef.size;
    return count;
  }

  /** Those that wait until their link takes more. */
  get table(): Table {
    let waiting = 0;
    for (const row of this.#byPeer.values()) waiting += row.waiting.size;
    return { table: 'downstreams_waiting', entries: waiting, limit: undefined };
  }

  /** The nodes that pull a stream. */
  childrenOf(stream: Stream): string[] {
    return [...(this.#byStream.get(stream) ?? [])].map(({ peer }) => peer.node);
  }

  /** How a stream's children are served. */
  rowsOf(stream: Stream): ChildRow[] {
    return [...(this.#byStream.get(stream) ?? [])].map((downstream) => downstream.childRow);
  }

  opened(peer: Peer): void {
    this.#byPeer.set(peer, new Row());
  }

  closed(peer: Peer, why: Reason): void {
    const row = this.#byPeer.get(peer);
    this.#byPeer.delete(peer);
    const all = [...(row?.byRef.values() ?? [])];
    for (const downstream of all) downstream.player?.leave(why);
    for (const downstream of all) this.#forget(downstream, why);
  }

  /** More is known of a node: what it is sent from now on may count for something else. */
  recount(node: string): void {
    for (const [peer, { byRef }] of this.#byPeer) {
      if (peer.node !== node) continue;
      for (const downstream of byRef.values()) downstream.sent = this.#countOf(downstream.stream.key, peer);
    }
  }

  /** A peer asks for something that this node has, or gives it back. */
  control(peer: Peer, message: ControlMessage): void {
    switch (message.is) {
      case 'sub':
        this.#subscribe(peer, message);
        break;
      case 'unsub':
        this.#unsubscribe(peer, message);
        break;
      case 'head':
        peer.send({ is: 'headed', id: message.id, ...this.#headOf(message.key) });
        break;
      default:
    }
  }

  /** The link takes more: those who wait for it are served in turn, the most important first. */
  drained(peer: Peer): void {
    const row = this.#byPeer.get(peer);
    if (!row || row.waiting.size === 0 || isFull(peer)) return;
    const waiting = [...row.waiting].sort((a, b) => b.priority - a.priority);
    for (const downstream of waiting) {
      if (isFull(peer)) return;
      row.waiting.delete(downstream);
      downstream.player?.drained();
    }
  }

  /** The heads that moved since they were told last, for a beat, and when they came. */
  heads(peer: Peer): ToldHeads {
    const { byRef } = this.#byPeer.get(peer) ?? new Row();
    const nowMs = this.#needs.clock.now();
    const heads: ToldHeads['heads'] = [];
    const cameAt: number[] = [];
    for (const [ref, downstream] of byRef) {
      const { head } = downstream.stream;
      const epochRef = head && downstream.encoder.epochRefOf(head.epoch);
      const isTold = head?.seq === downstream.told?.seq && head?.epoch === downstream.told?.epoch;
      if (!head || epochRef === undefined || isTold) continue;
      downstream.told = head;
      heads.push([ref, epochRef, head.seq]);
      cameAt.push(Math.max(0, nowMs - downstream.stream.silentMs(nowMs)));
      if (heads.length === MAX_HEADS) break;
    }
    // More than fit: who was told goes behind the others, so that all have their turn.
    for (const [ref] of heads.length === MAX_HEADS ? heads : []) {
      const told = byRef.get(ref);
      byRef.delete(ref);
      if (told) byRef.set(ref, told);
    }
    return { heads, cameAt };
  }

  /** The node stops: who is fed stays until it is fed elsewhere, and nobody is taken in any more. */
  goAway(deadlineMs: number): void {
    this.#leaving = 'stopping';
    for (const peer of this.#byPeer.keys()) peer.send({ is: 'goaway', deadlineMs });
  }

  /** The node is emptied: who is fed what it relays stays until it is fed elsewhere, or for good if nobody else has it. */
  drain(deadlineMs: number): void {
    if (this.#leaving === 'not') this.#leaving = 'draining';
    const withinMs = Math.min(deadlineMs, MAX_WAIT_MS);
    for (const peer of this.#byPeer.keys())
      peer.send({ is: 'goaway', deadlineMs: withinMs, only: 'relayed' });
  }

  /** Peers may come again: who was sent away was so at that moment only. */
  undoDrain(): void {
    if (this.#leaving === 'draining') this.#leaving = 'not';
  }

  /** A stream of this node went live, into hold, or ended: its children are told. */
  streamChanged(stream: Stream): void {
    const { state } = stream;
    if (state.at !== 'live' && state.at !== 'held') return;
    for (const { encoder, peer } of this.#byStream.get(stream) ?? []) {
      const msLeft = this.#holdLeftMs(stream);
      const why = state.at === 'held' ? { why: shortened(state.why) } : {};
      peer.send({ is: 'state', ref: encoder.streamRef, at: state.at, msLeft, ...why });
    }
  }

  /** The way from the origin to this node changed. */
  pathChanged(stream: Stream): void {
    const { path } = this.#needs.placeInTree(stream);
    if (!path) return;
    for (const { encoder, peer } of this.#byStream.get(stream) ?? []) {
      peer.send({ is: 'path', ref: encoder.streamRef, path: [...path] });
    }
  }

  #countOf(key: StreamKey, { node }: Peer): ByteCount {
    return this.#needs.sent?.(key, node) ?? { bytes: 0 };
  }

  #subscribe(peer: Peer, { id, key, resume, insist, patient }: Control<'sub'>): void {
    const stream = this.#find(key);
    const isLost = resume !== undefined && !patient;
    const why = stream ? this.#refusal(stream, peer, { resume, isLost, insist }) : 'nosrc';
    if (why || !stream) {
      const no = why ?? 'nosrc';
      this.declined.count(no);
      if (no === 'fenced' && stream && resume) this.#needs.fenced(stream.key, resume.epoch);
      peer.send({
        is: 'no',
        id,
        why: no,
        epoch: stream?.epoch ?? 0,
        alternatives: stream && no === 'busy' ? this.#alternatives(stream, peer) : [],
      });
      return;
    }
    this.#takeIn(stream, peer, id, resume);
  }

  #refusal(
    stream: Stream,
    peer: Peer,
    { resume, isLost, insist }: Pick<Control<'sub'>, 'resume' | 'insist'> & { readonly isLost: boolean },
  ): Control<'no'>['why'] | undefined {
    const { path, isSwitching } = this.#needs.placeInTree(stream);
    if (path?.includes(peer.node)) return 'loop';
    if (isSwitching || this.#leaving === 'stopping') return 'busy';
    if (!path) return 'nosrc';
    if (resume && resume.epoch > stream.epoch) return 'fenced';
    const children = this.#byStream.get(stream) ?? new Set();
    const isChild = [...children].some((child) => child.peer === peer);
    if (isChild) return undefined;
    if (path.length > MAX_HOPS || children.size >= this.#options.maxChildren) return 'busy';
    if (!isLost && this.#needs.refusesJoins()) return 'busy';
    // Who lost its upstream is not sent around.
    const isSentOn = children.size >= this.#options.softChildren || this.#handsOver(path);
    return !isLost && !insist && isSentOn ? 'busy' : undefined;
  }

  #takeIn(stream: Stream, peer: Peer, id: number, resume: Control<'sub'>['resume']): void {
    const row = this.#byPeer.get(peer);
    const { path } = this.#needs.placeInTree(stream);
    if (!row || !path) return;
    const encoder = this.#encoderOf(stream);
    const ref = encoder.streamRef;
    const before = row.byRef.get(ref);
    if (before) this.#unsubscribe(peer, before);
    const downstream = new Downstream(
      {
        ...{ row, stream, peer, id, encoder, priority: this.#needs.priorityOf(stream.key) },
        startedMs: this.#needs.clock.now(),
        sent: this.#countOf(stream.key, peer),
      },
      (over, why) => this.#ended(over, why),
    );
    row.byRef.set(ref, downstream);
    const children = this.#byStream.get(stream) ?? new Set();
    this.#byStream.set(stream, children.add(downstream));
    this.granted += 1;
    const { head, state } = stream;
    peer.send({
      ...{ is: 'ok', id, ref, epoch: head?.epoch ?? 0, head: head?.seq ?? 0, oldest: stream.oldestSeq ?? 0 },
      ...{ path: [...path], state: state.at === 'held' ? 'held' : 'live', msLeft: this.#holdLeftMs(stream) },
    });
    this.#needs.log.info(
      { stream: stream.key, child: peer.node, resumes: resume !== undefined },
      'relay.child',
    );
    downstream.player = stream.follow(encoder, downstream, { remote: peer.node }, resume);
  }

  /** The peer gives back what that question was granted; a later grant of the stream stays. */
  #unsubscribe(peer: Peer, { ref, id }: { readonly ref: number; readonly id: number }): void {
    const downstream = this.#byPeer.get(peer)?.byRef.get(ref);
    if (downstream?.id === id) {
      downstream.player?.leave(CHILD_LEFT);
      this.#forget(downstream, CHILD_LEFT);
    }
    peer.send({ is: 'gone', ref, id });
  }

  /** The stream is over here. A node that stops gives it up; otherwise it is over for the children, too. */
  #ended(downstream: Downstream, why: Reason): void {
    const { peer, ref, id } = downstream;
    if (isTheEnd(why)) peer.send({ is: 'state', ref, at: 'ended', msLeft: 0, why: shortened(why) });
    this.#forget(downstream, why);
    peer.send({ is: 'gone', ref, id });
  }

  #forget(downstream: Downstream, why: Reason): void {
    const { stream, peer, encoder, player, startedMs } = downstream;
    const row = this.#byPeer.get(peer);
    row?.waiting.delete(downstream);
    if (row?.byRef.get(encoder.streamRef) === downstream) row.byRef.delete(encoder.streamRef);
    const children = this.#byStream.get(stream);
    if (!children?.delete(downstream)) return;
    if (children.size === 0) this.#byStream.delete(stream);
    this.#needs.log.info(
      {
        ...{ stream: stream.key, child: peer.node, reason: why.code },
        durationMs: Math.round(this.#needs.clock.now() - startedMs),
        bytes: player?.bytesTaken ?? 0,
        skips: player?.cursor.skips ?? 0,
      },
      'relay.child-end',
    );
  }

  #headOf(key: string): Pick<Control<'headed'>, 'epoch' | 'seq' | 'live' | 'path'> {
    const stream = this.#find(key);
    const path = stream && this.#needs.placeInTree(stream).path;
    if (!stream || !path) return { epoch: 0, seq: 0, live: false, path: [] };
    const { head, state } = stream;
    return { epoch: head?.epoch ?? 0, seq: head?.seq ?? 0, live: state.at === 'live', path: [...path] };
  }

  #holdLeftMs(stream: Stream): number {
    return Math.round(stream.holdLeftMs(this.#needs.clock.now()));
  }

  /** The children, for one more who would have to wait. */
  #alternatives(stream: Stream, peer: Peer): string[] {
    const { path } = this.#needs.placeInTree(stream);
    const isAbove = path && (path.length > MAX_HOPS || this.#handsOver(path));
    const others = isAbove ? path.slice(0, -1) : this.childrenOf(stream);
    return others.filter((node) => node !== peer.node).slice(0, MAX_ALTERNATIVES);
  }

  /** Is what came this way to be had from others than this node, which is emptied? */
  #handsOver(path: readonly string[]): boolean {
    return this.#leaving === 'draining' && path.length > 1;
  }

  #encoderOf(stream: Stream): MeshEncoder {
    const known = this.#encoders.get(stream);
    if (known) return known;
    this.#lastRef += 1;
    const encoder = new MeshEncoder(this.#lastRef);
    this.#encoders.set(stream, encoder);
    return encoder;
  }

  #find(text: string): Stream | undefined {
    const key = readStreamKey(text);
    return key && this.#needs.streamOf(key);
  }
}

/** Is a stream over for everybody, or only at this node? */
function isTheEnd({ code }: Reason): boolean {
  return code === 'stream.hold-over';
}

function shortened({ code, message }: Reason): Reason {
  return { code: code.slice(0, 64), message: message.slice(0, 256) };
}
