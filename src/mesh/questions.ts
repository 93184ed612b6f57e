// What this node asks its peers for the state API, and the parts of the answers as they come. What is asked and what rows
// are is node/cluster-ask.ts's; what this node answers is answers.ts's.
import type { Clock, Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Table } from '../base/table.ts';
import { type Control, MAX_QUERY_CHARS } from '../format/mesh/control.ts';
import { CodeCounter } from '../observe/metrics.ts';
import type { Peer } from './peer.ts';
import { LINK_CLOSED } from './subscriptions.ts';

/** From a question to the last part of its answer. */
export const ANSWER_MS = 500;
/** The rows of one answer, as JSON. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** What a part counts beside its rows: so there are not many empty ones. */
const PART_BYTES = 64;
/** Questions that one peer answers at once; others wait for their turn. */
const MAX_AT_ONCE = 4;
/** Questions that wait for one peer; beyond it they fail at once. */
const MAX_WAITING = 256;
/** Where the numbers of questions begin again. */
const MAX_ID = 2 ** 32;
const MAX_REQUEST_CHARS = 64;

/** A question, in text: http/forms/questions.ts. */
export type Query = Pick<Control<'query'>, 'kind' | 'args' | 'request'>;

/**
 * Takes a part of an answer: rows as a JSON array, and the number of rows that there are.
 * @returns false: it is none, and the question fails
 */
export type TakePart = (rows: string, total: number) => boolean;

/** All of it came, or why not. What was taken until then is a part of the answer. */
export type AnswerEnd =
  | { readonly is: 'whole'; readonly total: number }
  | { readonly is: 'failed'; readonly why: Reason };

const NO_ANSWER: Reason = {
  code: 'mesh.no-answer',
  message: `the peer did not answer within ${ANSWER_MS} ms`,
};
const TOO_MANY: Reason = { code: 'mesh.too-many-questions', message: 'too many questions wait at the peer' };
const TOO_LARGE: Reason = {
  code: 'mesh.answer-too-large',
  message: `the peer answers with more than ${MAX_ANSWER_BYTES} bytes`,
};
const BROKEN: Reason = { code: 'mesh.answer-form', message: 'the peer answers with what is no answer' };

interface Asked {
  readonly query: Query;
  readonly take: TakePart;
  readonly end: (how: AnswerEnd) => void;
  bytes: number;
}

/** What is asked of one peer. */
class Desk {
  readonly onTheWay = new Map<number, Asked>();
  readonly waiting = new Set<Asked>();
}

export class Questions {
  readonly #clock: Clock;
  readonly #desks = new Map<Peer, Desk>();
  #lastId = 0;
  /** Counters that metrics read. */
  asked = 0;
  whole = 0;
  readonly failed = new CodeCounter();
  receivedBytes = 0;
  /** Parts of no question that is open: it was too late for them, or nobody ever asked. */
  unexpected = 0;

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** Questions that have no end yet. */
  get openCount(): number {
    let count = 0;
    for (const { onTheWay, waiting } of this.#desks.values()) count += onTheWay.size + waiting.size;
    return count;
  }

  /** Of all peers together. */
  get tables(): Table[] {
    let [onTheWay, waiting] = [0, 0];
    for (const desk of this.#desks.values()) {
      onTheWay += desk.onTheWay.size;
      waiting += desk.waiting.size;
    }
    const peers = this.#desks.size;
    return [
      { table: 'mesh_queries', entries: onTheWay, limit: MAX_AT_ONCE * peers },
      { table: 'mesh_queries_waiting', entries: waiting, limit: MAX_WAITING * peers },
    ];
  }

  opened(peer: Peer): void {
    this.#desks.set(peer, new Desk());
  }

  closed(peer: Peer): void {
    const desk = this.#desks.get(peer);
    this.#desks.delete(peer);
    if (!desk) return;
    for (const { end } of [...desk.onTheWay.values(), ...desk.waiting])
      end({ is: 'failed', why: LINK_CLOSED });
  }

  /** Asks a peer. Never rejects; resolves within ANSWER_MS, and `take` is not called afterwards. */
  ask(peer: Peer, query: Query, take: TakePart): Promise<AnswerEnd> {
    this.asked += 1;
    return new Promise((resolve) => {
      const desk = this.#desks.get(peer);
      const why = desk ? refusalOf(desk, query) : LINK_CLOSED;
      let timer: Timer | undefined;
      const end = (how: AnswerEnd) => {
        timer?.cancel();
        if (how.is === 'whole') this.whole += 1;
        else this.failed.count(how.why.code);
        resolve(how);
      };
      if (!desk || why) {
        end({ is: 'failed', why: why ?? LINK_CLOSED });
        return;
      }
      const asked: Asked = { query, take, end, bytes: 0 };
      timer = this.#clock.after(ANSWER_MS, () => {
        desk.waiting.delete(asked);
        for (const [id, other] of desk.onTheWay) if (other === asked) desk.onTheWay.delete(id);
        end({ is: 'failed', why: NO_ANSWER });
        this.#sendNext(peer, desk);
      });
      desk.waiting.add(asked);
      this.#sendNext(peer, desk);
    });
  }

  /** A peer answers. */
  control(peer: Peer, message: Control<'reply'> | Control<'noreply'>): void {
    const desk = this.#desks.get(peer);
    const asked = desk?.onTheWay.get(message.id);
    if (!desk || !asked) {
      this.unexpected += 1;
      return;
    }
    const how = message.is === 'reply' ? this.#take(asked, message) : refused(message);
    if (!how) return;
    desk.onTheWay.delete(message.id);
    asked.end(how);
    this.#sendNext(peer, desk);
  }

  /** @returns how the question ends with this part, if it does */
  #take(asked: Asked, { rows, total, last }: Control<'reply'>): AnswerEnd | undefined {
    const bytes = Buffer.byteLength(rows);
    this.receivedBytes += bytes;
    asked.bytes += bytes + PART_BYTES;
    if (asked.bytes > MAX_ANSWER_BYTES) return { is: 'failed', why: TOO_LARGE };
    if (!asked.take(rows, total)) return { is: 'failed', why: BROKEN };
    return last ? { is: 'whole', total } : undefined;
  }

  #sendNext(peer: Peer, desk: Desk): void {
    for (const asked of desk.waiting) {
      if (desk.onTheWay.size >= MAX_AT_ONCE) return;
      desk.waiting.delete(asked);
      this.#lastId = (this.#lastId % MAX_ID) + 1;
      desk.onTheWay.set(this.#lastId, asked);
      const { kind, args, request } = asked.query;
      peer.send({
        ...{ is: 'query', id: this.#lastId, kind, args },
        request: request.slice(0, MAX_REQUEST_CHARS),
      });
    }
  }
}

function refusalOf(desk: Desk, { args }: Query): Reason | undefined {
  if (desk.waiting.size >= MAX_WAITING) return TOO_MANY;
  const bytes = Buffer.byteLength(args);
  if (bytes <= MAX_QUERY_CHARS) return undefined;
  return { code: 'mesh.question-too-large', message: `a question of ${bytes} bytes` };
}

/** The peer's own words stay out of what this node counts: they may be any. */
function refused({ why }: Control<'noreply'>): AnswerEnd {
  const message = `the peer does not answer: ${why.code}: ${why.message}`;
  return { is: 'failed', why: { code: 'mesh.answer-refused', message } };
}
