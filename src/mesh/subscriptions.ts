// What this node asked of its peers: every subscription and every HEAD that waits for its answer, and which of them a
// message is for.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { type Reason, WireError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Control, ControlMessage } from '../format/mesh/control.ts';
import type { MediaMessage } from '../format/mesh/media-codec.ts';
import type { Resume } from '../media/exact-cursor.ts';
import type { Place } from './gate.ts';
import type { Peer } from './peer.ts';
import { Upstream, type UpstreamListener } from './upstream.ts';

/** An answer that takes longer is none. */
const ANSWER_MS = 400;
/** Questions that may wait at one peer; beyond it they fail at once. */
const MAX_ASKED = 20_000;
/** Of the questions that were not answered in time, so many are known still: all that may have waited at once. */
const MAX_LATE = MAX_ASKED;
/** Where the numbers of questions begin again. */
const MAX_ID = 2 ** 32;

const NO_ANSWER: Reason = {
  code: 'mesh.no-answer',
  message: `the peer did not answer within ${ANSWER_MS} ms`,
};
const TOO_MANY: Reason = { code: 'mesh.too-many-questions', message: 'too many questions wait at the peer' };
/** Its code says that the node itself did not answer. */
export const LINK_CLOSED: Reason = { code: 'mesh.link-closed', message: 'the link to the peer closed' };

/**
 * How a peer is asked for a stream: `insistent` nobody else was found; `patient` the asker is fed well, and would only be
 * fed better.
 */
export type Tone = 'plain' | 'insistent' | 'patient';

/** How far a peer has got with a stream. */
export type HeadAnswer = Control<'headed'>;

interface Question {
  readonly timer: Timer;
  readonly answer: (message: Control<'ok'> | Control<'no'> | HeadAnswer | Reason) => void;
}

/** What is open at one peer. */
class Desk {
  readonly asked = new Map<number, Question>();
  /** Those that waited too long: an answer may come yet. */
  readonly late = new Set<number>();
  readonly fed = new Map<number, Upstream>();
  /** Refs that were given up here, by the id of their question: the peer may still send of them until it says `gone`. */
  readonly leaving = new Map<number, number>();
}

export interface SubscriptionsNeeds {
  readonly clock: Clock;
  /** What a node sends of a stream is added to this count; undefined: nobody asks. */
  readonly received?: ((key: StreamKey, node: string) => ByteCount) | undefined;
}

export class Subscriptions {
  readonly #clock: Clock;
  readonly #received: SubscriptionsNeeds['received'];
  readonly #desks = new Map<Peer, Desk>();
  #lastId = 0;
  /** Counters that metrics read. */
  asked = 0;
  granted = 0;
  unanswered = 0;

  constructor(needs: SubscriptionsNeeds) {
    this.#clock = needs.clock;
    this.#received = needs.received;
  }

  /** Subscriptions that are fed now. */
  get fedCount(): number {
    let count = 0;
    for (const { fed } of this.#desks.values()) count += fed.size;
    return count;
  }

  /** Of all peers together. */
  get tables(): Table[] {
    const limit = this.#desks.size * MAX_ASKED;
    let [asked, late, leaving] = [0, 0, 0];
    for (const desk of this.#desks.values()) {
      asked += desk.asked.size;
      late += desk.late.size;
      leaving += desk.leaving.size;
    }
    return [
      { table: 'mesh_questions', entries: asked, limit },
      { table: 'mesh_late_answers', entries: late, limit },
      { table: 'mesh_leaving', entries: leaving, limit: undefined },
    ];
  }

  /** Subscriptions that are fed by a peer. */
  fedBy(peer: Peer): readonly Upstream[] {
    return [...(this.#desks.get(peer)?.fed.values() ?? [])];
  }

  /** More is known of a node: what it sends from now on may count for something else. */
  recount(node: string): void {
    for (const [peer, { fed }] of this.#desks) {
      if (peer.node === node) for (const upstream of fed.values()) this.#count(upstream);
    }
  }

  /** The link is there: it may be asked. */
  opened(peer: Peer): void {
    this.#desks.set(peer, new Desk());
  }

  /** The link is gone: everything that it brought, or was asked, is over. */
  closed(peer: Peer): void {
    const desk = this.#desks.get(peer);
    if (!desk) return;
    this.#desks.delete(peer);
    for (const { timer, answer } of [...desk.asked.values()]) {
      timer.cancel();
      answer(LINK_CLOSED);
    }
    for (const upstream of [...desk.fed.values()]) upstream.end(LINK_CLOSED);
  }

  /** Asks a peer for a stream. The listener is told what becomes of it, never before this returns. */
  subscribe(
    peer: Peer,
    key: StreamKey,
    how: { resume: Resume | undefined; tone: Tone },
    listener: UpstreamListener,
  ): Upstream {
    const id = this.#nextId();
    const upstream = new Upstream(key, peer, id, listener);
    const { resume, tone } = how;
    const manner = { insist: tone === 'insistent', ...(tone === 'patient' && { patient: true }) };
    const isAsked = this.#ask(peer, id, (answer) => {
      if (!('is' in answer) || answer.is === 'no') upstream.decline(answer);
      else if (answer.is === 'ok') this.#grant(upstream, answer);
      else upstream.decline(NO_ANSWER);
    });
    if (isAsked) peer.send({ is: 'sub', id, key, ...manner, ...(resume && { resume }) });
    return upstream;
  }

  /** Gives a subscription up; what still comes of it is dropped. Calm when repeated. */
  unsubscribe(upstream: Upstream): void {
    const { ref, peer, id } = upstream;
    upstream.leave();
    const desk = this.#desks.get(peer);
    if (desk?.fed.get(ref) !== upstream) return;
    desk.fed.delete(ref);
    desk.leaving.set(ref, id);
    peer.send({ is: 'unsub', ref, id });
  }

  /** Asks how far a peer has got; undefined if it doesn't say. */
  head(peer: Peer, key: StreamKey): Promise<HeadAnswer | undefined> {
    return new Promise((resolve) => {
      const id = this.#nextId();
      const isAsked = this.#ask(peer, id, (answer) => {
        resolve('is' in answer && answer.is === 'headed' ? answer : undefined);
      });
      if (isAsked) peer.send({ is: 'head', id, key });
    });
  }

  /** A message that answers a question or belongs to a subscription. @throws WireError `mesh.ref` */
  control(peer: Peer, message: ControlMessage): void {
    const desk = this.#desks.get(peer);
    if (!desk) return;
    switch (message.is) {
      case 'ok':
      case 'no':
      case 'headed':
        this.#answer(peer, desk, message);
        break;
      case 'gone':
        this.#gone(desk, message);
        break;
      case 'epoch':
      case 'skip':
      case 'path':
      case 'state':
        this.#fed(desk, message.ref)?.control(message);
        break;
      default:
    }
  }

  /**
   * @param bodyBytes of the message, as it came
   * @throws WireError `mesh.ref`
   */
  media(peer: Peer, message: MediaMessage, bodyBytes = 0): void {
    const desk = this.#desks.get(peer);
    const upstream = desk && this.#fed(desk, message.streamRef);
    if (!upstream) return;
    upstream.received.bytes += bodyBytes;
    upstream.media(message);
  }

  /** The head of a subscription that a beat told: whose, and where. */
  headTold(
    peer: Peer,
    [ref, epochRef, seq]: readonly [number, number, number],
  ): { upstream: Upstream; place: Place } | undefined {
    const upstream = this.#desks.get(peer)?.fed.get(ref);
    const place = upstream?.placeOf(epochRef, seq);
    return upstream && place && { upstream, place };
  }

  #nextId(): number {
    this.#lastId = (this.#lastId % MAX_ID) + 1;
    return this.#lastId;
  }

  /** Notes a question that is to be sent; if it can't be, that is its answer. */
  #ask(peer: Peer, id: number, answer: Question['answer']): boolean {
    const desk = this.#desks.get(peer);
    this.asked += 1;
    if (!desk || desk.asked.size >= MAX_ASKED) {
      this.#clock.soon(() => answer(desk ? TOO_MANY : LINK_CLOSED));
      return false;
    }
    const timer = this.#clock.after(ANSWER_MS, () => {
      desk.asked.delete(id);
      desk.late.add(id);
      for (const oldest of desk.late) {
        if (desk.late.size <= MAX_LATE) break;
        desk.late.delete(oldest);
      }
      this.unanswered += 1;
      answer(NO_ANSWER);
    });
    desk.asked.set(id, { timer, answer });
    return true;
  }

  #answer(peer: Peer, desk: Desk, message: Control<'ok'> | Control<'no'> | HeadAnswer): void {
    const question = desk.asked.get(message.id);
    desk.asked.delete(message.id);
    question?.timer.cancel();
    const isLate = desk.late.delete(message.id);
    if (question) question.answer(message);
    else if (message.is === 'ok') {
      if (!isLate) throw new WireError('mesh.ref', 'the peer grants a stream that was not asked for');
      // Too late: the asker went elsewhere.
      desk.leaving.set(message.ref, message.id);
      peer.send({ is: 'unsub', ref: message.ref, id: message.id });
    }
  }

  #count(upstream: Upstream): void {
    const { key, peer } = upstream;
    if (this.#received) upstream.received = this.#received(key, peer.node);
  }

  #grant(upstream: Upstream, message: Control<'ok'>): void {
    const { peer } = upstream;
    const desk = this.#desks.get(peer);
    if (!desk) return;
    const before = desk.fed.get(message.ref);
    if (before && before.key !== upstream.key) {
      const why = new WireError('mesh.ref', 'the peer gives two streams one number', { ref: message.ref });
      upstream.decline(why);
      throw why;
    }
    desk.leaving.delete(message.ref);
    if (upstream.state === 'over') {
      desk.leaving.set(message.ref, message.id);
      peer.send({ is: 'unsub', ref: message.ref, id: message.id });
      return;
    }
    this.granted += 1;
    this.#count(upstream);
    desk.fed.set(message.ref, upstream);
    upstream.grant(message);
  }

  #gone(desk: Desk, { ref, id }: Control<'gone'>): void {
    if (desk.leaving.get(ref) === id) desk.leaving.delete(ref);
    const upstream = desk.fed.get(ref);
    if (upstream?.id !== id) return;
    desk.fed.delete(ref);
    upstream.end({ code: 'mesh.gone', message: 'the peer gave the stream up' });
  }

  /** The subscription of a ref; undefined if it was given up here. */
  #fed(desk: Desk, ref: number): Upstream | undefined {
    const upstream = desk.fed.get(ref);
    if (!upstream && !desk.leaving.has(ref)) {
      throw new WireError('mesh.ref', `the peer sends of stream number ${ref}, which was not asked for`, {
        ref,
      });
    }
    return upstream;
  }
}
