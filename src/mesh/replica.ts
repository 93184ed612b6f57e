// One stream that this node relays: who feeds it, and how it gets over the loss of that. Who is asked is search.ts's, what
// becomes of runs and frames is intake.ts's, who is told is replicas.ts's.
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Run } from '../format/frame.ts';
import type { Control } from '../format/mesh/control.ts';
import type { MediaFrame } from '../format/mesh/media-codec.ts';
import type { Stream, StreamSource } from '../media/stream.ts';
import type { UpstreamDecision } from '../routing/decisions.ts';
import { MAX_HOPS } from '../routing/upstream-cost.ts';
import { BetterUpstream } from './better-upstream.ts';
import { type Candidate, inOrder, type ParentFacts } from './candidates.ts';
import { endsInSilence, isLinkSilent, isUnheard, StreamWatch, SwitchBrake } from './failure-detector.ts';
import type { Place } from './gate.ts';
import { HoldLooks } from './hold-looks.ts';
import { HopMeter } from './hop-meter.ts';
import { Intake, type Lane } from './intake.ts';
import { NextUpstream } from './next-upstream.ts';
import type { Peer } from './peer.ts';
import { Search, type SearchPlan } from './search.ts';
import type { Found, Sources } from './sources.ts';
import type { Subscriptions, Tone } from './subscriptions.ts';
import { decisionOf, type SwitchCause } from './switch-cause.ts';
import { OUT_OF_ORDER, type ToldState, type Upstream, type UpstreamListener } from './upstream.ts';

/** Beside those that are known to live, so many are asked then. */
const MAX_OTHERS = 4;

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
  readonly sources: Pick<Sources, 'find' | 'originNow'>;
  /** An open link to a node. */
  readonly linkTo: (node: string) => Peer | undefined;
  /** @throws TidewayError if the node can't be reached */
  readonly dial: (node: string) => Promise<Peer>;
  /**
   * This node's stream, made if it is not there.
   * @throws TidewayError `publish.too-many-streams`, `node.stopping`
   */
  readonly stream: (key: StreamKey) => Stream;
  /** Does somebody need it who is no player and no child: a backup publisher, or who asked to have it ready? */
  readonly isWanted: (key: StreamKey) => boolean;
  /** Does a publisher of this node stand by for it? It judges the origin by this upstream, which stays as it is then. */
  readonly standsBy: (key: StreamKey) => boolean;
  /** What others are as parents. */
  readonly parents: ParentFacts;
  readonly owner: ReplicaOwner;
}

/** The way from the node that feeds a replica. Undefined before the first sample. */
export interface HopFacts {
  readonly from: string;
  /** From a frame's arrival there to its arrival here, how far that may be wrong, and its mean deviation. */
  readonly delayMs: number | undefined;
  readonly errorMs: number | undefined;
  readonly jitterMs: number | undefined;
  readonly rttMs: number | undefined;
  /** Since the replica began: times that frames were missing which nobody had, changes of upstream, frames left out. */
  readonly gaps: number;
  readonly resumes: number;
  readonly skipped: number;
}

/** What a replica tells those who hold it. */
export interface ReplicaOwner {
  /** Its upstream, its path or its epoch changed. */
  moved(replica: Replica): void;
  /** Nobody has the stream, and nothing of it is here: it is not looked for any more. */
  gaveUp(replica: Replica): void;
  switched(cause: SwitchCause, decision: UpstreamDecision): void;
  /** A better upstream would not have it, or could not be had. */
  stayed(): void;
  spliced(verdict: 'splice' | 'gap'): void;
  /** A peer is behind the epoch that this node knows. */
  fenced(): void;
  /** It is fed by another upstream than before. */
  resumed(): void;
  /** Its upstream left so many frames out. */
  skipped(frames: number): void;
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

/** A search that was asked for while another was under way, and what fed the replica then. */
interface SeekLater {
  readonly named: readonly string[];
  readonly cause: SwitchCause;
  readonly from: Upstream | undefined;
}

/** `lost`: it is gone. `silent`: nothing was heard of it for a while before its link ended; it may live. */
type Unseen = 'lost' | 'silent';

export class Replica implements StreamSource, UpstreamListener {
  readonly key: StreamKey;
  readonly #options: ReplicaOptions;
  readonly #needs: ReplicaNeeds;
  readonly #intake: Intake;
  readonly #search: Search;
  readonly #next: NextUpstream;
  readonly #better: BetterUpstream;
  readonly #looks: HoldLooks;
  readonly #brake = new SwitchBrake();
  #stream: Stream | undefined;
  #current: Upstream | undefined;
  /** The upstream before, until the current one has begun. */
  #former: Upstream | undefined;
  /** How the last upstream went, while there is none. */
  #unseen: Unseen = 'lost';
  /** Why it looks for another upstream now. */
  #seeking: SwitchCause | undefined;
  /** Asked to look again while it looked. */
  #seekAgain: SeekLater | undefined;
  #watch: StreamWatch;
  #meter: HopMeter;
  #wasFed = false;
  /** Since it began. */
  #gaps = 0;
  #resumes = 0;
  #skipped = 0;
  #over = false;
  #usedMs: number;

  /** @param stream this node's stream, if it is here already: without a source, in hold */
  constructor(key: StreamKey, options: ReplicaOptions, needs: ReplicaNeeds, stream?: Stream) {
    const { clock, random, linkTo, dial, owner, parents } = needs;
    const nowMs = clock.now();
    this.key = key;
    this.#options = options;
    this.#needs = needs;
    this.#stream = stream;
    this.#intake = new Intake({
      clock,
      stream: () => (this.#isToldHeld && this.#stream ? this.#stream : this.#live()),
      overlaps: () => this.#former !== undefined,
      taken: () => this.#leaveFormer(),
      spliced: (verdict) => {
        if (verdict === 'gap') this.#gaps += 1;
        owner.spliced(verdict);
        owner.moved(this);
      },
    });
    if (stream?.head) this.#intake.resumeFrom(stream.head);
    this.#search = new Search({
      ...{ clock, linkTo, dial, self: options.self },
      find: () => this.#find(this.#stream !== undefined),
      subscribe: (peer, tone) => this.#subscribe(peer, tone),
      fenced: () => owner.fenced(),
    });
    this.#next = new NextUpstream({
      ...{ clock, random, linkTo, dial },
      find: () => this.#find(false),
      candidates: (known) => {
        const others = [...this.#above(), ...this.#inOrder(known, true)];
        return this.#search.linkedFirst(others.filter((node) => node !== this.upstreamNode));
      },
      head: (peer) => needs.subscriptions.head(peer, key),
    });
    this.#better = new BetterUpstream({
      ...{ clock, random, linkTo, dial, parents },
      known: () => this.#next.known.filter(({ epoch }) => epoch >= this.epoch),
      hurry: () => this.#next.hurry(),
      isShunned: (node) => this.#search.able([node]).length === 0,
      seek: (node, tone) => this.seek([node], 'better', tone),
      stayed: () => owner.stayed(),
    });
    this.#looks = new HoldLooks({ clock, random, look: () => void this.#lookInHold() });
    this.#watch = new StreamWatch(nowMs);
    this.#meter = new HopMeter(nowMs);
    this.#usedMs = nowMs;
  }

  get epoch(): number {
    return this.#intake.place?.epoch ?? this.#stream?.epoch ?? 0;
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

  /** How well it sees the stream's source: as the origin's child, over others, not at all, or by one that can't be heard. */
  get sight(): 'clear' | 'relayed' | Unseen {
    if (!this.#current) return this.#unseen;
    if (isUnheard(this.#current.peer, this.#needs.clock.now())) return 'silent';
    return this.#current.path.length === 1 ? 'clear' : 'relayed';
  }

  /** How it is fed now; undefined while nobody does. */
  get hop(): HopFacts | undefined {
    if (!this.#current) return undefined;
    const { peer } = this.#current;
    const { quality } = peer;
    const { hopDelayMs: delayMs } = this;
    const { jitterMs } = this.#meter;
    return {
      ...{ from: peer.node, delayMs, jitterMs, rttMs: quality?.rttMs },
      errorMs: delayMs === undefined ? undefined : quality?.errorMs,
      ...{ gaps: this.#gaps, resumes: this.#resumes, skipped: this.#skipped },
    };
  }

  /** From a frame's arrival at its upstream to its arrival here, ms; undefined while nobody knows. */
  get hopDelayMs(): number | undefined {
    // In hold nothing is on its way: what was told and has not come was left out.
    const isLive = this.#current?.told.at === 'live';
    return isLive ? this.#meter.delayMs(this.#needs.clock.now()) : this.#meter.smoothedMs;
  }

  /** What its upstream has for it: frames that did not come, nothing newer, or `unknown`, since not a byte comes of it. */
  get upstreamHas(): 'more' | 'nothing' | 'unknown' {
    if (!this.#current || isLinkSilent(this.#current.peer, this.#needs.clock.now())) return 'unknown';
    return this.#watch.isPast(this.#intake.place) ? 'more' : 'nothing';
  }

  /** Is a change of its upstream under way? */
  get isSwitching(): boolean {
    return this.#seeking !== undefined;
  }

  /** Who would feed it next. */
  get standby(): string | undefined {
    return this.#next.node;
  }

  /** Nodes that it passes over, since they failed a moment ago. */
  get shunnedCount(): number {
    return this.#search.shunnedCount;
  }

  /** What its upstream brought and has to wait for the frames before it. */
  get heldBackCount(): number {
    return this.#intake.heldBackCount;
  }

  silentMs(nowMs: number): number {
    return this.#stream?.silentMs(nowMs) ?? 0;
  }

  /** The stream has another source here, or ended. */
  displace(_why: Reason): void {
    this.end();
  }

  /** Lets go of everything; the stream is not touched. Calm when repeated. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#looks.stop();
    this.#intake.drop();
    for (const upstream of [this.#current, this.#former, this.#search.end()]) {
      if (upstream) this.#needs.subscriptions.unsubscribe(upstream);
    }
    this.#current = undefined;
    this.#former = undefined;
  }

  /**
   * Looks for a source: `named` are asked first. While one is looked for already, it is done once more afterwards.
   * Never rejects.
   * @param tone in which the first are asked
   */
  async seek(
    named: readonly string[],
    cause: SwitchCause,
    tone: SearchPlan['tone'] = 'plain',
  ): Promise<void> {
    if (this.#over) return;
    if (this.#seeking) {
      if (cause === 'held' || cause === 'better' || this.#seekAgain?.cause === 'origin') return;
      this.#seekAgain = { named, cause, from: this.#current };
      if (cause === 'origin' || this.#seeking === 'better') this.#search.interrupt();
      return;
    }
    this.#seeking = cause;
    const before = this.#current;
    // Who is only called elsewhere stays where it is, if that is not to be had.
    const goesOn = !before || !(cause === 'origin' || cause === 'held' || cause === 'better');
    const isUrgent = this.#stream !== undefined;
    await this.#search
      .run({
        named: goesOn ? [...named, ...this.#above()] : named,
        goesOn,
        except: before?.peer.node,
        ...{ tone, isUrgent },
        known: this.#next.known,
        order: (candidates) =>
          cause === 'better' ? this.#better.worth(candidates) : this.#inOrder(candidates, isUrgent),
      })
      .catch((error: unknown) => {
        this.#needs.log.error({ stream: this.key, err: error }, 'relay.seek-failed');
      });
    this.#seeking = undefined;
    if (this.#over) return;
    if (this.#current !== undefined && this.#current !== before) this.#tellMove(cause, this.#current, before);
    const again = this.#seekAgain;
    this.#seekAgain = undefined;
    if (again && !this.#isDone(again)) void this.seek(again.named, again.cause);
    else if (!this.#current) this.#orphaned();
  }

  #tellMove(cause: SwitchCause, to: Upstream, before: Upstream | undefined): void {
    const { parents, owner, clock } = this.#needs;
    if (before) this.#better.moved(before.peer.node, cause, clock.now());
    const how = { stream: this.key, cause, path: to.path, before: before?.path };
    owner.switched(cause, decisionOf(how, this.#next.known, parents));
  }

  /** Did what came of a search since then answer this one, too? */
  #isDone({ named, cause, from }: SeekLater): boolean {
    if (cause === 'origin') return named.some((node) => node === this.upstreamNode);
    return this.#current !== undefined && this.#current !== from;
  }

  /** A node says that it is the stream's origin, with a higher epoch than was known here. */
  originAt(node: string, epoch: number): void {
    if (this.#follows(node, epoch)) return;
    this.#search.forgive(node);
    void this.#judgeOrigin(node, epoch);
  }

  /** News of the stream: perhaps there is a source by now. */
  hear(): void {
    if (!this.#current || this.#stream?.state.at === 'held') void this.#lookInHold();
  }

  /** The peer leaves, or is silent: what it feeds is moved while it is still there. */
  leave(peer: Peer, cause: 'silent' | 'stuck' | 'goaway'): void {
    if (this.#current?.peer !== peer || (this.#isInNeed && cause !== 'goaway')) return;
    const nowMs = this.#needs.clock.now();
    if (cause !== 'goaway' && this.#brake.isOn(nowMs)) return;
    this.#brake.pull(nowMs);
    this.#search.shun(peer.node);
    void this.seek([], cause);
  }

  /** The peer's head, by its beat. @param cameMs when it came there, by the clock of this node, if that is known */
  peerAt(upstream: Upstream, place: Place, cameMs: number | undefined): void {
    if (upstream !== this.#current) return;
    this.#watch.peerAt(place);
    if (cameMs !== undefined) this.#meter.told(place, cameMs);
  }

  /** Looks at itself: is it fed, is it used? @param lateMs see StreamWatch.look */
  look(nowMs: number, lateMs: number): void {
    if (this.#over || !this.#stream) return;
    this.#lookAtUse(nowMs, this.#stream);
    if (this.#over || !this.#current || this.#isInNeed || this.#stream.state.at !== 'live') return;
    this.#next.look(nowMs);
    const isSettled = !this.#seeking && !this.#former && this.#current.told.at === 'live';
    if (isSettled && !this.#needs.standsBy(this.key)) this.#better.look(nowMs, this.#current.path);
    const health = this.#watch.look(nowMs, this.#intake.place, this.#stream.usualIntervalMs, lateMs);
    if (health === 'stuck') this.leave(this.#current.peer, 'stuck');
    else if (health === 'idle') void this.#askStandby();
  }

  // From its upstreams

  granted(upstream: Upstream, grant: Control<'ok'>): void {
    if (this.#over || !this.#search.awaits(upstream)) {
      this.#needs.subscriptions.unsubscribe(upstream);
      return;
    }
    const isNoBetter = this.#current !== undefined && (grant.state === 'held' || this.#isBehind(grant));
    if (isNoBetter || this.#isTooFar(upstream.path)) {
      this.#needs.subscriptions.unsubscribe(upstream);
      this.#search.answer(isNoBetter ? HELD : LOOP);
      return;
    }
    try {
      this.#adopt(upstream, grant);
      this.#search.answer('granted');
    } catch (error) {
      // There is no room for the stream, or the node stops.
      if (!(error instanceof TidewayError)) throw error;
      this.#needs.subscriptions.unsubscribe(upstream);
      this.#current = undefined;
      this.#search.answer(error);
    }
  }

  declined(upstream: Upstream, why: Control<'no'> | Reason): void {
    if (this.#search.awaits(upstream)) this.#search.answer(why);
  }

  runBegins(upstream: Upstream, run: Run): void {
    if (!this.#intake.runBegins(this.#laneOf(upstream), run)) this.#fence(upstream);
  }

  setUp(upstream: Upstream, run: Run, frame: MediaFrame): void {
    this.#intake.setUp(this.#laneOf(upstream), run, frame);
  }

  frame(upstream: Upstream, run: Run, frame: MediaFrame): void {
    if (upstream === this.#current) {
      const nowMs = this.#needs.clock.now();
      this.#watch.arrived(nowMs);
      this.#meter.arrived(run.epoch, frame.seq, nowMs);
    }
    this.#intake.frame(this.#laneOf(upstream), run, frame);
  }

  skipped(upstream: Upstream, run: Run, toSeq: number, count: number): void {
    if (upstream === this.#current) {
      this.#watch.arrived(this.#needs.clock.now());
      this.#skipped = Math.min(Number.MAX_SAFE_INTEGER, this.#skipped + count);
      this.#needs.owner.skipped(count);
    }
    this.#intake.skipped(this.#laneOf(upstream), run, toSeq);
  }

  pathChanged(upstream: Upstream): void {
    const isTooFar = this.#isTooFar(upstream.path);
    if (upstream === this.#former && isTooFar) this.#leaveFormer();
    if (upstream !== this.#current) return;
    if (isTooFar) this.#lose(upstream, 'loop');
    else this.#needs.owner.moved(this);
  }

  stateChanged(upstream: Upstream, state: ToldState): void {
    if (upstream === this.#current) this.#heed(state);
  }

  /** Goes along with what the upstream says of the stream. */
  #heed({ at, msLeft, why }: ToldState): void {
    if (!this.#stream) return;
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
    this.#needs.subscriptions.unsubscribe(upstream);
    if (upstream === this.#former) this.#former = undefined;
    if (upstream !== this.#current) return;
    const unseen = endsInSilence(upstream.peer, this.#needs.clock.now()) ? 'silent' : 'lost';
    this.#lose(upstream, why.code === OUT_OF_ORDER ? 'order' : 'closed', unseen);
  }

  /** A better upstream is one that brings the very next frame. */
  #isBehind({ epoch, oldest }: Control<'ok'>): boolean {
    const { place } = this.#intake;
    if (this.#seeking !== 'better' || !place) return false;
    return epoch !== place.epoch || oldest === 0 || oldest > place.seq + 1;
  }

  /** It looks for an upstream, and not only for a better one. */
  get #isInNeed(): boolean {
    return this.#seeking !== undefined && this.#seeking !== 'better';
  }

  /** The upstream holds: what still comes of it is the tail of what was, and no source. */
  get #isToldHeld(): boolean {
    return this.#current?.told.at === 'held';
  }

  #laneOf(upstream: Upstream): Lane {
    return upstream === this.#current ? 'current' : 'former';
  }

  #subscribe(peer: Peer, tone: Tone): Upstream {
    const { place } = this.#intake;
    const resume = place && { epoch: place.epoch, from: place.seq + 1 };
    return this.#needs.subscriptions.subscribe(peer, this.key, { resume, tone }, this);
  }

  /** @param fresh a source was lost: what was looked up before is no good */
  async #find(fresh: boolean): Promise<Found> {
    const found = await this.#needs.sources.find(this.key, fresh);
    this.#next.learn(found.nodes);
    return found;
  }

  #inOrder(candidates: readonly Candidate[], urgent: boolean): string[] {
    const isLinked = (node: string) => this.#search.isLinked(node);
    return inOrder(candidates, { parents: this.#needs.parents, isLinked, urgent });
  }

  /** The nodes from its upstream's upstream up to the origin. */
  #above(): string[] {
    return [...(this.#current?.path ?? [])].reverse().filter((node) => node !== this.upstreamNode);
  }

  #follows(node: string, epoch: number): boolean {
    return epoch <= this.epoch || this.#current?.path[0] === node;
  }

  /**
   * Follows a new origin. One that was cut off from the registry may have an epoch that is higher, and will not stand: who
   * is fed stays where it is while the registry has another origin, so that players see one splice and not two.
   */
  async #judgeOrigin(node: string, epoch: number): Promise<void> {
    const isFed = () => this.#current !== undefined && this.#stream?.state.at === 'live';
    if (isFed()) {
      const known = await this.#needs.sources.originNow(this.key);
      const isOther = known?.state === 'live' && known.node !== node && known.epoch < epoch;
      if (this.#follows(node, epoch) || (isOther && isFed())) return;
    }
    await this.seek([node], 'origin');
  }

  /** A new upstream; the one before stays until this one has begun. */
  #adopt(upstream: Upstream, grant: Control<'ok'>): void {
    const { log, owner, clock } = this.#needs;
    const before = this.#current;
    this.#intake.endOverlap();
    this.#former = before?.state === 'fed' ? before : undefined;
    if (this.#wasFed) {
      this.#resumes += 1;
      owner.resumed();
    }
    this.#wasFed = true;
    this.#current = upstream;
    this.#watch = new StreamWatch(clock.now());
    this.#meter = new HopMeter(clock.now());
    // Without a frame of its own, a node can't tell whether the peer's are to be sent, or wait for a key frame.
    if (this.#intake.place) this.#watch.peerAt({ epoch: grant.epoch, seq: grant.head });
    this.#looks.reset();
    const { node } = upstream.peer;
    const { epoch, oldest } = grant;
    const { place } = this.#intake;
    const missing = place?.epoch === epoch ? Math.max(0, oldest - place.seq - 1) : 0;
    const fields = { stream: this.key, upstream: node, hops: upstream.path.length, epoch, missing };
    if (before) log.info({ ...fields, before: before.peer.node, cause: this.#seeking }, 'relay.switch');
    else log.info(fields, 'relay.start');
    const isNew = this.#stream === undefined;
    if (grant.state === 'live' || isNew) this.#live();
    // Who waited for a stream that is new here joins it first; without them there would be nothing to hold.
    const hold = () => upstream === this.#current && this.#hold(HELD, grant.msLeft);
    if (grant.state === 'held' && isNew) clock.soon(hold);
    else if (grant.state === 'held') hold();
    owner.moved(this);
  }

  /** This node's stream, with this replica as its source. */
  #live(): Stream {
    this.#stream ??= this.#needs.stream(this.key);
    const { state } = this.#stream;
    if (state.at !== 'live' || state.source !== this) {
      this.#stream.attach(this, FOUND);
      this.#looks.stop();
    }
    return this.#stream;
  }

  #hold(why: Reason, holdMs: number): void {
    const stream = this.#stream;
    if (!stream) return;
    if (stream.state.at === 'live') stream.detach(this, why, holdMs);
    if (!this.#isUsed(stream)) stream.end(why);
    else if (!this.#over) this.#looks.again();
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

  /**
   * In hold: is there a source by now? An upstream that holds is left if the origin lives: that one has a new epoch, or it
   * is only the upstream that has lost its way to it.
   */
  async #lookInHold(): Promise<void> {
    if (!this.#current) {
      await this.seek([], 'held');
      return;
    }
    const { live, nodes } = await this.#find(true);
    const isHeld = () => !this.#over && this.#stream?.state.at === 'held';
    const others = live.length > 0 ? [...live, ...this.#inOrder(nodes, true).slice(0, MAX_OTHERS)] : [];
    const named = others.filter((node) => node !== this.upstreamNode);
    if (isHeld() && named.length > 0) await this.seek(named, 'held');
    if (isHeld()) this.#looks.again();
  }

  /** The current upstream is no good any more, and is not waited for. One that was to go serves until there is another. */
  #lose(upstream: Upstream, cause: SwitchCause, unseen: Unseen = 'lost'): void {
    const { node } = upstream.peer;
    const above = this.#above();
    this.#needs.subscriptions.unsubscribe(upstream);
    if (this.#former?.state === 'fed') {
      this.#current = this.#former;
      this.#former = undefined;
      this.#intake.drop();
      this.#watch = new StreamWatch(this.#needs.clock.now());
      this.#meter = new HopMeter(this.#needs.clock.now());
      this.#heed(this.#current.told);
      this.#needs.owner.moved(this);
    } else {
      this.#intake.endOverlap();
      this.#current = undefined;
      this.#unseen = unseen;
    }
    if (cause !== 'order') this.#search.shun(node);
    void this.seek(cause === 'order' ? [node, ...above] : above, cause);
  }

  #isTooFar(path: readonly string[]): boolean {
    return path.includes(this.#options.self) || path.length > MAX_HOPS;
  }

  /** The peer is behind the epoch that is known here. */
  #fence(upstream: Upstream): void {
    upstream.peer.send({ is: 'fenced', key: this.key, epoch: this.epoch });
    if (upstream === this.#current) this.#lose(upstream, 'closed');
    else this.#leaveFormer();
  }

  #leaveFormer(): void {
    if (this.#former) this.#needs.subscriptions.unsubscribe(this.#former);
    this.#former = undefined;
  }

  // Its health

  #lookAtUse(nowMs: number, stream: Stream): void {
    if (this.#isUsed(stream)) this.#usedMs = nowMs;
    else if (nowMs - this.#usedMs >= this.#options.lingerMs) stream.end(UNUSED);
  }

  #isUsed(stream: Stream): boolean {
    return stream.playerCount + stream.followerCount > 0 || this.#needs.isWanted(this.key);
  }

  /** What a standby has, the upstream should have sent: if nothing comes of it, it is stuck. */
  async #askStandby(): Promise<void> {
    const head = await this.#next.ahead(this.#intake.place);
    if (head && !this.#over) this.#watch.peerAt(head);
  }
}
