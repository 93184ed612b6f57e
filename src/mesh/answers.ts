// What this node answers to questions of its peers: rows, packed into parts that fit a control message, a few at a time, and
// behind the media of the same link. What the rows are is node/cluster-ask.ts's.
import type { Clock } from '../base/clock.ts';
import { messageOf, type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Slices } from '../base/slices.ts';
import type { Table } from '../base/table.ts';
import type { Control } from '../format/mesh/control.ts';
import { CodeCounter } from '../observe/metrics.ts';
import type { Peer } from './peer.ts';
import { ANSWER_MS, type Query } from './questions.ts';

/** Rows are packed until a part has so many bytes. */
const PART_BYTES = 40 * 1024;
/** A row that is larger fits no part (MAX_REPLY_CHARS), and is left out. */
const MAX_ROW_BYTES = 47 * 1024;
/** Of all rows together: less than who asks takes (questions.ts). Those beyond it are left out. */
const MAX_SENT_BYTES = 7 * 1024 * 1024;
/** Questions of one peer that are answered at once: twice what it asks at once, as it gives up a little sooner. */
const MAX_AT_ONCE = 8;
/** Of the send window, what may be under way before a part is sent: the rest is for media. */
const QUIET_SHARE = 1 / 2;

/** What this node knows. */
export interface Answer {
  /** Rows that there are. */
  readonly total: number;
  /** Those that are sent. */
  readonly rows: Iterable<unknown>;
}

export interface AnswersNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly slices: Slices;
  /** @throws TidewayError if there is no such question */
  readonly answer: (peer: string, query: Query) => Answer;
}

/** A question that is being answered. */
interface Open {
  readonly peer: Peer;
  readonly id: number;
  readonly query: Query;
  sentBytes: number;
  /** A row that the part before had no room for. */
  carried: string | undefined;
  isOver: boolean;
  /** Goes on, where it waits for the link. */
  wake: () => void;
}

const BUSY: Reason = {
  code: 'mesh.answers-busy',
  message: `${MAX_AT_ONCE} questions of the peer are being answered`,
};
const TOO_LATE: Reason = { code: 'mesh.answer-late', message: `the answer took more than ${ANSWER_MS} ms` };
const INTERNAL: Reason = { code: 'mesh.internal', message: 'an error in the node itself, at one question' };

export class Answers {
  readonly #needs: AnswersNeeds;
  /** Bounded by the links, and MAX_AT_ONCE for each. */
  readonly #byPeer = new Map<Peer, Set<Open>>();
  /** Counters that metrics read. */
  answered = 0;
  readonly refused = new CodeCounter();
  sentBytes = 0;
  /** Rows that were too large to be sent. */
  rowsLeftOut = 0;

  constructor(needs: AnswersNeeds) {
    this.#needs = needs;
  }

  /** Questions that are being answered. */
  get openCount(): number {
    let count = 0;
    for (const row of this.#byPeer.values()) count += row.size;
    return count;
  }

  get table(): Table {
    const limit = MAX_AT_ONCE * this.#byPeer.size;
    return { table: 'mesh_replies', entries: this.openCount, limit };
  }

  opened(peer: Peer): void {
    this.#byPeer.set(peer, new Set());
  }

  closed(peer: Peer): void {
    const row = this.#byPeer.get(peer);
    this.#byPeer.delete(peer);
    for (const open of row ?? []) end(open);
  }

  /** The peer has read more of what it was sent. */
  drained(peer: Peer): void {
    if (!isQuiet(peer)) return;
    for (const { wake } of this.#byPeer.get(peer) ?? []) wake();
  }

  /** A peer asks. */
  control(peer: Peer, { id, kind, args, request }: Control<'query'>): void {
    const row = this.#byPeer.get(peer);
    if (!row) return;
    const query = { kind, args, request };
    const open: Open = {
      ...{ peer, id, query, sentBytes: 0, carried: undefined, isOver: false },
      wake: () => {},
    };
    if (row.size >= MAX_AT_ONCE) {
      this.#refuse(open, BUSY);
      return;
    }
    row.add(open);
    const timer = this.#needs.clock.after(ANSWER_MS, () => this.#refuse(open, TOO_LATE));
    void this.#answer(open)
      .catch((error: unknown) => this.#refuse(open, this.#reasonOf(open, error)))
      .finally(() => {
        timer.cancel();
        row.delete(open);
      });
  }

  async #answer(open: Open): Promise<void> {
    const { slices, answer } = this.#needs;
    const { total, rows } = await slices.run(begin(() => answer(open.peer.node, open.query)));
    const left = rows[Symbol.iterator]();
    let last = false;
    while (!last) {
      await quiet(open);
      if (open.isOver) return;
      const texts: string[] = [];
      last = await slices.run(this.#pack(open, left, texts));
      if (open.isOver) return;
      const text = `[${texts.join(',')}]`;
      const bytes = Buffer.byteLength(text);
      open.sentBytes += bytes;
      this.sentBytes += bytes;
      open.peer.send({ is: 'reply', id: open.id, total, rows: text, last });
    }
    this.answered += 1;
  }

  /** Takes rows for a part. @returns is it the last one? */
  *#pack(open: Open, left: Iterator<unknown>, texts: string[]): Generator<void, boolean> {
    let bytes = 2;
    for (let text = open.carried ?? this.#nextRow(left); text !== undefined; text = this.#nextRow(left)) {
      open.carried = undefined;
      const size = Buffer.byteLength(text) + 1;
      if (open.sentBytes + bytes + size > MAX_SENT_BYTES) return true;
      if (texts.length > 0 && bytes + size > PART_BYTES) {
        open.carried = text;
        return false;
      }
      texts.push(text);
      bytes += size;
      yield;
      if (open.isOver) return true;
    }
    return true;
  }

  /** JSON of the next row that can be sent. */
  #nextRow(left: Iterator<unknown>): string | undefined {
    for (let row = left.next(); !row.done; row = left.next()) {
      const text = JSON.stringify(row.value);
      if (Buffer.byteLength(text) <= MAX_ROW_BYTES) return text;
      this.rowsLeftOut += 1;
    }
    return undefined;
  }

  #refuse(open: Open, why: Reason): void {
    if (open.isOver) return;
    end(open);
    this.refused.count(why.code);
    const { code, message } = why;
    open.peer.send({
      is: 'noreply',
      id: open.id,
      why: { code: code.slice(0, 64), message: message.slice(0, 256) },
    });
  }

  #reasonOf({ peer, query }: Open, error: unknown): Reason {
    if (error instanceof TidewayError) return error;
    const fields = { peer: peer.node, kind: query.kind, detail: messageOf(error), err: error };
    this.#needs.log.error(fields, 'mesh.answer-failed');
    return INTERNAL;
  }
}

/** One step, in its turn. */
// biome-ignore lint/correctness/useYield: it is done at once
function* begin<T>(act: () => T): Generator<void, T> {
  return act();
}

function end(open: Open): void {
  open.isOver = true;
  open.wake();
}

/** Resolves when the link has room for more than media, or the answer is over. */
async function quiet(open: Open): Promise<void> {
  while (!open.isOver && !isQuiet(open.peer)) {
    await new Promise<void>((resolve) => {
      open.wake = resolve;
    });
  }
}

function isQuiet({ sentBytes, takenBytes, windowBytes }: Peer): boolean {
  return sentBytes - takenBytes < windowBytes * QUIET_SHARE;
}
