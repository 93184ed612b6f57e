// One stream that this node relays: where its frames come from, and how it gets over the loss of that. It asks, judges
// and appends; who asks and who is told is replicas.ts's.
import type { Clock, Timer } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { classify } from '../format/codec.ts';
import { Frame, type Run } from '../format/frame.ts';
import type { Control } from '../format/mesh/control.ts';
import type { MediaFrame } from '../format/mesh/media-codec.ts';
import type { Stream, StreamSource } from '../media/stream.ts';
import { isAhead, StreamWatch, SwitchBrake } from './failure-detector.ts';
import { Gate, type Place } from './gate.ts';
import type { Peer } from './peer.ts';
import type { Found, Sources } from './sources.ts';
import type { Resume, Subscriptions } from './subscriptions.ts';
import type { Upstream, UpstreamListener } from './upstream.ts';

/** Links between an origin and its furthest replica (design §6). */
export const MAX_HOPS = 4;
/** While two upstreams overlap, a frame that is ahead waits so long for those before it. */
const OVERLAP_MS = 100;
const MAX_HELD_BACK = 4_096;
/** A node that failed is not asked again for so long, unless there is nobody else. */
const SHUN_MS = 2_000;
/** Looks for a source while there is none: after these, then each second. */
const LOOK_AGAIN_MS = [100, 200, 400, 1_000];
/** How often a standby is asked whether it has frames while there are none here. */
const ASK_STANDBY_MS = 500;
/** How often who else has the stream is looked up, for a standby. */
const STANDBY_FRESH_MS = 10_000;

/** Why a replica looks for another upstream; the counters of metrics go by it. */
export type SwitchCause =
  | 'first'
  | 'closed'
  | 'silent'
  | 'stuck'
  | 'goaway'
  | 'loop'
  | 'order'
  | 'origin'
  | 'held';

export interface ReplicaOptions {
  /** This node. */
  readonly self: string;
  /** How long players are held when the origin died, ms. */
  readonly holdMs: number;
  /** How long it stays without players and children, ms. */
  readonly lingerMs: number;
}

export interface ReplicaNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1. */
  readonly random: () => number;
  readonly subscriptions: Subscriptions;
  readonly sources: Pick<Sources, 'find'>;
  /** An open link to a node. */
  readonly linkTo: (node: string) => Peer | undefined;
  /** @throws TidewayError if the node can't be reached */
  readonly dial: (node: string) => Promise<Peer>;
  /**
   * This node's stream, made if it is not there.
   * @throws TidewayError `publish.too-many-streams`, `node.stopping`
   */
  readonly stream: (key: StreamKey) => Stream;
  /** Does somebody need it who is no player and no child: one that waits, or a backup publisher? */
  readonly isWanted: (key: StreamKey) => boolean;
  readonly owner: ReplicaOwner;
}

/** What a replica tells those who hold it. */
export interface ReplicaOwner {
  /** Its upstream, its path or its epoch changed. */
  moved(replica: Replica): void;
  /** Nobody has the stream, and nothing of it is here: it is not looked for any more. */
  gaveUp(replica: Replica): void;
  switched(cause: SwitchCause): void;
  spliced(verdict: 'splice' | 'gap'): void;
  fenced(replica: Replica, epoch: number): void;
}

const LOST: Reason = {
  code: 'relay.lost',
  message: 'the stream came from a node that is gone, and nobody else has it',
};
const HELD: Reason = { code: 'relay.held', message: 'the publisher of the stream is gone' };
const UNUSED: Reason = { code: 'relay.unused', message: 'nobody plays the stream on this node any more' };
const FOUND: Reason = { code: 'relay.found', message: 'the stream comes from another node' };
const LOOP: Reason = {
  code: 'relay.loop',
  message: 'the peer is fed by this node, or too far from the origin',
};

/** A run of which no frame came yet. It is entered with its first frame, so that its set-up is never without it. */
interface Opening {
  readonly upstream: Upstream;
  readonly run: Run;
  readonly setUp: MediaFrame[];
}

export class Replica implements StreamSource, UpstreamListener {
  readonly key: StreamKey;
  readonly #options: ReplicaOptions;
  readonly #needs: ReplicaNeeds;
  readonly #gate = new Gate();
  readonly #brake = new SwitchBrake();
  /** Nodes that failed, and until when they are passed over; as many as were tried of late. */
  readonly #shunned = new Map<string, number>();
  #stream: Stream | undefined;
  #current: Upstream | undefined;
  /** The upstream before, until the current one has begun. */
  #former: Upstream | undefined;
  /** The question that is under way. */
  #asking: { upstream: Upstream; answered: (answer: Control<'no'> | Reason | 'granted') => void } | undefined;
  #seeking = false;
  /** Asked to look again while it looked. */
  #seekAgain: { first: readonly string[]; cause: SwitchCause } | undefined;
  #watch: StreamWatch;
  #opening: Opening | undefined;
  /** What a current upstream that is ahead brought, until the former one has got there. */
  #heldBack: { readonly run: Run; readonly items: (() => void)[]; readonly timer: Timer } | undefined;
  #over = false;
  #looks = 0;
  #lookTimer: Timer | undefined;
  #found: { readonly found: Found; readonly atMs: number } | undefined;
  #askedStandbyMs = 0;
  #usedMs: number;
  #arrivedMs: number;

  /** @param stream this node's stream, if it is here already: without a source, in hold */
  constructor(key: StreamKey, options: ReplicaOptions, needs: ReplicaNeeds, stream?: Stream) {
    this.key = key;
    this.#stream = stream;
    if (stream?.head) this.#gate.enter({ epoch: stream.head.epoch, from: stream.head.seq + 1 });
    this.#options = options;
    this.#needs = needs;
    const nowMs = needs.clock.now();
    this.#watch = new StreamWatch(nowMs);
    this.#usedMs = nowMs;
    this.#arrivedMs = nowMs;
  }

  get epoch(): number {
    return this.#gate.place?.epoch ?? this.#stream?.epoch ?? 0;
  }

  /** The newest frame that it has. */
  get place(): Place | undefined {
    return this.#gate.place;
  }

  /** The node that feeds it. */
  get upstreamNode(): string | undefined {
    return this.#current?.peer.node;
  }

  get upstreamPeer(): Peer | undefined {
    return this.#current?.peer;
  }

  /** From the origin to this node; undefined while nobody feeds it. */
  get path(): readonly string[] | undefined {
    return this.#current && [...this.#current.path, this.#options.self];
  }

  /** Is a change of its upstream under way? */
  get isSwitching(): boolean {
    return this.#seeking;
  }

  /** Who would feed it next. */
  get standby(): string | undefined {
    return this.#candidates([], this.#found?.found).find((node) => node !== this.upstreamNode);
  }

  silentMs(nowMs: number): number {
    return nowMs - this.#arrivedMs;
  }

  /** The stream has another source here, or ended. */
  displace(_why: Reason): void {
    this.end();
  }

  /** Lets go of everything; the stream is not touched. Calm when repeated. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#lookTimer?.cancel();
    this.#dropHeldBack();
    for (const upstream of [this.#current, this.#former, this.#asking?.upstream]) {
      if (upstream) this.#needs.subscriptions.unsubscribe(upstream);
    }
    this.#asking?.answered(UNUSED);
    this.#current = undefined;
    this.#former = undefined;
  }

  /**
   * Looks for a source: `first` is asked first. While one is looked for already, it is done once more afterwards.
   * Never rejects.
   */
  async seek(first: readonly string[], cause: SwitchCause): Promise<void> {
    if (this.#over) return;
    if (this.#seeking) {
      this.#seekAgain = { first, cause };
      return;
    }
    this.#seeking = true;
    const before = this.#current;
    await this.#tryAll(first, cause).catch((error: unknown) => {
      this.#needs.log.error({ stream: this.key, err: error }, 'relay.seek-failed');
    });
    this.#seeking = false;
    if (this.#over) return;
    const isMoved = this.#current !== undefined && this.#current !== before;
    if (isMoved) this.#needs.owner.switched(cause);
    const again = this.#seekAgain;
    this.#seekAgain = undefined;
    if (again && !isMoved) void this.seek(again.first, again.cause);
    else if (!this.#current) this.#orphaned();
  }

  /** A node says that it is the stream's origin, with a higher epoch than was known here. */
  originAt(node: string, epoch: number): void {
    if (epoch <= this.epoch || this.#current?.path[0] === node) return;
    this.#shunned.delete(node);
    void this.seek([node], 'origin');
  }

  /** News of the stream: perhaps there is a source by now. */
  hear(): void {
    if (!this.#current || this.#stream?.state.at === 'held') void this.#lookInHold();
  }

  /** The peer leaves, or is silent: what it feeds is moved while it is still there. */
  leave(peer: Peer, cause: 'silent' | 'goaway'): void {
    if (this.#current?.peer !== peer || this.#seeking) return;
    const nowMs = this.#needs.clock.now();
    if (cause === 'silent' && this.#brake.isOn(nowMs)) return;
    this.#brake.pull(nowMs);
    this.#shun(peer.node);
    void this.seek([], cause);
  }

  /** The peer's head, by its beat. */
  peerAt(upstream: Upstream, place: Place): void {
    if (upstream === this.#current) this.#watch.peerAt(place);
  }

  /** Looks at itself: is it fed, is it used? @param lateMs see StreamWatch.look */
  look(nowMs: number, lateMs: number): void {
    if (this.#over || !this.#stream) return;
    this.#lookAtUse(nowMs, this.#stream);
    if (this.#over || !this.#current || this.#seeking || this.#stream.state.at !== 'live') return;
    this.#refreshStandby(nowMs);
    const health = this.#watch.look(nowMs, this.#gate.place, this.#stream.usualIntervalMs, lateMs);
    if (health === 'stuck' && !this.#brake.isOn(nowMs)) {
      this.#brake.pull(nowMs);
      this.#shun(this.#current.peer.node);
      void this.seek([], 'stuck');
    } else if (health === 'idle' && nowMs - this.#askedStandbyMs >= ASK_STANDBY_MS) {
      this.#askedStandbyMs = nowMs;
      void this.#askStandby();
    }
  }

  // From its upstreams

  granted(upstream: Upstream, grant: Control<'ok'>): void {
    const asking = this.#asking;
    if (this.#over || asking?.upstream !== upstream) {
      this.#needs.subscriptions.unsubscribe(upstream);
      return;
    }
    this.#asking = undefined;
    if (this.#isTooFar(upstream.path)) {
      this.#needs.subscriptions.unsubscribe(upstream);
      asking.answered(LOOP);
      return;
    }
    try {
      this.#adopt(upstream, grant);
      asking.answered('granted');
    } catch (error) {
      // There is no room for the stream, or the node stops.
      if (!(error instanceof TidewayError)) throw error;
      this.#lose(upstream, 'closed');
      asking.answered(error);
    }
  }

  declined(upstream: Upstream, why: Control<'no'> | Reason): void {
    if (this.#asking?.upstream !== upstream) return;
    const { answered } = this.#asking;
    this.#asking = undefined;
    answered(why);
  }

  runBegins(upstream: Upstream, run: Run): void {
    if (this.#holdsBack(upstream, () => this.runBegins(upstream, run))) return;
    const verdict = this.#gate.judge(run);
    if (verdict === 'fenced') {
      this.#fence(upstream);
      return;
    }
    if (verdict === 'gap' && upstream === this.#current && this.#former) {
      const timer = this.#needs.clock.after(OVERLAP_MS, () => this.#endOverlap());
      this.#heldBack = { run, items: [() => this.runBegins(upstream, run)], timer };
      return;
    }
    this.#opening = verdict === 'goes-on' ? undefined : { upstream, run, setUp: [] };
    if (verdict === 'goes-on' && upstream === this.#current) this.#leaveFormer();
  }

  setUp(upstream: Upstream, run: Run, frame: MediaFrame): void {
    if (this.#holdsBack(upstream, () => this.setUp(upstream, run, frame))) return;
    if (this.#opening?.run === run) this.#opening.setUp.push(frame);
  }

  frame(upstream: Upstream, run: Run, frame: MediaFrame): void {
    if (this.#holdsBack(upstream, () => this.frame(upstream, run, frame))) return;
    const nowMs = this.#needs.clock.now();
    if (upstream === this.#current) this.#watch.arrived(nowMs);
    if (this.#opening?.run === run) this.#open(this.#opening);
    if (!this.#gate.pass(run.epoch, frame.seq)) return;
    this.#arrivedMs = nowMs;
    this.#live().append(frameOf(frame));
    if (this.#heldBack && this.#gate.judge(this.#heldBack.run) === 'goes-on') this.#endOverlap();
  }

  skipped(upstream: Upstream, run: Run, toSeq: number): void {
    if (this.#holdsBack(upstream, () => this.skipped(upstream, run, toSeq))) return;
    if (upstream === this.#current) this.#watch.arrived(this.#needs.clock.now());
    this.#gate.skip(run.epoch, toSeq);
  }

  pathChanged(upstream: Upstream): void {
    if (upstream !== this.#current) return;
    if (this.#isTooFar(upstream.path)) {
      this.#lose(upstream, 'loop');
      return;
    }
    this.#needs.owner.moved(this);
  }

  stateChanged(upstream: Upstream, { at, msLeft, why }: Control<'state'>): void {
    if (upstream !== this.#current || !this.#stream) return;
    switch (at) {
      case 'live':
        this.#live();
        break;
      case 'held':
        this.#hold(why ?? HELD, msLeft);
        break;
      case 'ended':
        this.#stream.end(why ?? HELD);
    }
  }

  over(upstream: Upstream, why: Reason): void {
    if (upstream === this.#former) this.#former = undefined;
    if (upstream !== this.#current) return;
    this.#lose(upstream, why.code === 'mesh.order' ? 'order' : 'closed');
  }

  // The search

  /** Asks one node after the other, until one grants. */
  async #tryAll(first: readonly string[], cause: SwitchCause): Promise<void> {
    const tried = new Set<string>();
    const busy: string[] = [];
    const before = this.#current;
    const isDone = () => this.#over || (this.#current !== undefined && this.#current !== before);
    const isMove = cause === 'silent' || cause === 'stuck' || cause === 'goaway';
    // Who is known already is asked before anybody is looked up: that is a round trip, and no more.
    for (const node of isMove || !before ? this.#candidates(first, undefined) : first) {
      if (isDone() || (await this.#try(node, { tried, busy, insist: false }))) return;
    }
    if (isDone() || (before && !isMove)) return;
    const found = await this.#needs.sources.find(this.key, cause !== 'first');
    this.#found = { found, atMs: this.#needs.clock.now() };
    for (const node of this.#candidates(first, found)) {
      if (isDone() || (await this.#try(node, { tried, busy, insist: false }))) return;
    }
    for (const node of busy) {
      if (isDone() || (await this.#try(node, { tried: new Set(), busy: [], insist: true }))) return;
    }
    // Better somebody who failed a moment ago than nobody.
    for (const node of this.#current ? [] : [...this.#shunned.keys()]) {
      if (isDone() || (await this.#try(node, { tried, busy, insist: true }))) return;
    }
  }

  async #try(node: string, so: { tried: Set<string>; busy: string[]; insist: boolean }): Promise<boolean> {
    if (so.tried.has(node) || node === this.#options.self) return false;
    so.tried.add(node);
    const answer = await this.#ask(node, so.insist);
    if (answer === 'granted') return true;
    if (this.#over) return false;
    if (!('is' in answer)) {
      this.#shun(node);
      return false;
    }
    if (answer.why === 'fenced') this.#needs.owner.fenced(this, answer.epoch);
    if (answer.why !== 'busy') return false;
    so.busy.push(node);
    for (const other of shuffled(answer.alternatives, this.#needs.random)) {
      if (await this.#try(other, so)) return true;
      if (this.#over) return false;
    }
    return false;
  }

  async #ask(node: string, insist: boolean): Promise<Control<'no'> | Reason | 'granted'> {
    let peer = this.#needs.linkTo(node);
    try {
      peer ??= await this.#needs.dial(node);
    } catch (error) {
      return { code: 'mesh.unreachable', message: error instanceof Error ? error.message : String(error) };
    }
    if (this.#over) return UNUSED;
    const { place } = this.#gate;
    const resume: Resume | undefined = place && { epoch: place.epoch, from: place.seq + 1 };
    const to = peer;
    return new Promise((answered) => {
      const upstream = this.#needs.subscriptions.subscribe(to, this.key, { resume, insist }, this);
      this.#asking = { upstream, answered };
    });
  }

  /** Who may feed it, best first: who was named, the nodes above its parent, then what was found. */
  #candidates(first: readonly string[], found: Found | undefined): string[] {
    const above = [...(this.#current?.path ?? [])].reverse();
    const nodes = [...first, ...above, ...(found?.nodes ?? [])];
    const nowMs = this.#needs.clock.now();
    return [...new Set(nodes)].filter((node) => {
      const isCurrent = node === this.#current?.peer.node && this.#current.state === 'fed';
      return node !== this.#options.self && !isCurrent && (this.#shunned.get(node) ?? 0) <= nowMs;
    });
  }

  #shun(node: string): void {
    const nowMs = this.#needs.clock.now();
    for (const [other, untilMs] of this.#shunned) if (untilMs <= nowMs) this.#shunned.delete(other);
    this.#shunned.set(node, nowMs + SHUN_MS);
  }

  /** A new upstream; the one before stays until this one has begun. */
  #adopt(upstream: Upstream, grant: Control<'ok'>): void {
    const { log, subscriptions, owner, clock } = this.#needs;
    const before = this.#current;
    if (this.#former) subscriptions.unsubscribe(this.#former);
    this.#dropHeldBack();
    this.#former = before?.state === 'fed' ? before : undefined;
    this.#current = upstream;
    this.#watch = new StreamWatch(clock.now());
    this.#looks = 0;
    this.#lookTimer?.cancel();
    const { node } = upstream.peer;
    const fields = { stream: this.key, upstream: node, hops: upstream.path.length, epoch: grant.epoch };
    if (before) log.info({ ...fields, before: before.peer.node }, 'relay.switch');
    else log.info(fields, 'relay.start');
    if (grant.state === 'live' || !this.#stream) this.#live();
    else this.#hold(HELD, grant.msLeft);
    owner.moved(this);
  }

  /** This node's stream, with this replica as its source. */
  #live(): Stream {
    this.#stream ??= this.#needs.stream(this.key);
    const { state } = this.#stream;
    if (state.at !== 'live' || state.source !== this) {
      this.#stream.attach(this, FOUND);
      this.#lookTimer?.cancel();
      this.#lookTimer = undefined;
    }
    return this.#stream;
  }

  #hold(why: Reason, holdMs: number): void {
    const stream = this.#stream;
    if (!stream) return;
    if (stream.state.at === 'live') stream.detach(this, why, holdMs);
    if (stream.playerCount + stream.followerCount === 0 && !this.#needs.isWanted(this.key)) stream.end(why);
    else if (!this.#over) this.#lookAgain();
  }

  /** Nobody feeds it and nobody was found. */
  #orphaned(): void {
    if (!this.#stream) {
      this.#needs.owner.gaveUp(this);
      return;
    }
    this.#needs.owner.moved(this);
    this.#hold(LOST, this.#options.holdMs);
  }

  #lookAgain(): void {
    this.#lookTimer?.cancel();
    const ms = LOOK_AGAIN_MS[Math.min(this.#looks, LOOK_AGAIN_MS.length - 1)] ?? 0;
    this.#looks += 1;
    const jittered = ms * (0.9 + 0.2 * this.#needs.random());
    this.#lookTimer = this.#needs.clock.after(jittered, () => void this.#lookInHold());
  }

  /** In hold: is there a source by now? A parent that holds, too, is left for an origin that doesn't. */
  async #lookInHold(): Promise<void> {
    if (!this.#current) {
      await this.seek([], 'held');
      return;
    }
    const found = await this.#needs.sources.find(this.key, true);
    if (this.#over || this.#stream?.state.at !== 'held') return;
    const { origin } = found;
    if (origin?.state === 'live' && origin.epoch > this.epoch) await this.seek([origin.node], 'held');
    if (!this.#over && this.#stream.state.at === 'held') this.#lookAgain();
  }

  /** The current upstream is no good any more, and is not waited for. */
  #lose(upstream: Upstream, cause: SwitchCause): void {
    const { node } = upstream.peer;
    const above = [...upstream.path].reverse().filter((other) => other !== node);
    this.#needs.subscriptions.unsubscribe(upstream);
    this.#endOverlap();
    this.#current = undefined;
    if (cause === 'order') {
      void this.seek([node, ...above], cause);
      return;
    }
    this.#shun(node);
    void this.seek(above, cause);
  }

  #isTooFar(path: readonly string[]): boolean {
    return path.includes(this.#options.self) || path.length > MAX_HOPS;
  }

  // Frames

  /** The first frame of a run: the stream is spliced, and given the run's set-up. */
  #open({ upstream, run, setUp }: Opening): void {
    this.#opening = undefined;
    const verdict = this.#gate.judge(run);
    if (upstream === this.#current) this.#leaveFormer();
    if (verdict === 'fenced' || verdict === 'goes-on') return;
    this.#gate.enter(run);
    const stream = this.#live();
    stream.begin(run);
    for (const frame of setUp) stream.appendSetUp(frameOf(frame));
    this.#needs.owner.spliced(verdict);
    this.#needs.owner.moved(this);
  }

  /** The peer is behind the epoch that is known here. */
  #fence(upstream: Upstream): void {
    const { epoch } = this;
    upstream.peer.send({ is: 'fenced', key: this.key, epoch });
    if (upstream === this.#current) this.#lose(upstream, 'closed');
    else if (upstream === this.#former) this.#leaveFormer();
  }

  #leaveFormer(): void {
    if (this.#former) this.#needs.subscriptions.unsubscribe(this.#former);
    this.#former = undefined;
  }

  /** Keeps what the current upstream brings for later, while it is ahead of the former one. */
  #holdsBack(upstream: Upstream, item: () => void): boolean {
    if (!this.#heldBack || upstream !== this.#current) return false;
    this.#heldBack.items.push(item);
    if (this.#heldBack.items.length > MAX_HELD_BACK) this.#endOverlap();
    return true;
  }

  /** The former upstream has got there, or has had its time: what was held back is taken. */
  #endOverlap(): void {
    this.#leaveFormer();
    const held = this.#heldBack;
    this.#dropHeldBack();
    for (const item of held?.items ?? []) item();
  }

  #dropHeldBack(): void {
    this.#heldBack?.timer.cancel();
    this.#heldBack = undefined;
  }

  // Its health

  #lookAtUse(nowMs: number, stream: Stream): void {
    const isUsed = stream.playerCount + stream.followerCount > 0 || this.#needs.isWanted(this.key);
    if (isUsed) this.#usedMs = nowMs;
    else if (nowMs - this.#usedMs >= this.#options.lingerMs) stream.end(UNUSED);
  }

  async #askStandby(): Promise<void> {
    const node = this.standby;
    const peer = node === undefined ? undefined : this.#needs.linkTo(node);
    const answer = peer && (await this.#needs.subscriptions.head(peer, this.key));
    if (this.#over || !answer?.live) return;
    const head: Place = { epoch: answer.epoch, seq: answer.seq };
    // What a standby has, our upstream should have sent: if nothing comes of it, it is stuck.
    if (isAhead(head, this.#gate.place)) this.#watch.peerAt(head);
  }

  /** Knows who else has the stream, and keeps a link to one of them open. */
  #refreshStandby(nowMs: number): void {
    if (nowMs - (this.#found?.atMs ?? this.#usedMs) < STANDBY_FRESH_MS * (1 + this.#needs.random())) return;
    this.#found = { found: this.#found?.found ?? { origin: undefined, nodes: [] }, atMs: nowMs };
    void this.#needs.sources
      .find(this.key, false)
      .then((found) => {
        this.#found = { found, atMs: this.#needs.clock.now() };
        const node = this.standby;
        if (!this.#over && node !== undefined && !this.#needs.linkTo(node)) return this.#needs.dial(node);
        return undefined;
      })
      .catch(() => {}); // A standby that can't be reached now is looked for again.
  }
}

function frameOf({ kind, seq, dts, payload }: MediaFrame): Frame {
  return new Frame(kind, classify(kind, payload), seq, dts, payload);
}

function shuffled(nodes: readonly string[], random: () => number): string[] {
  return nodes
    .map((node) => ({ node, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ node }) => node);
}
