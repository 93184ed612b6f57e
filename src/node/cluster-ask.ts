// What the nodes of the cluster know, asked of all of them at once, this one among them: each answers from its own memory,
// within half a second, and who did not is named. What the rows mean, and how they are put together, is who asks'.
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Slices } from '../base/slices.ts';
import type { Table } from '../base/table.ts';
import type { StaleNode } from '../http/forms/common.ts';
import {
  type Asker,
  MAX_ROWS,
  type NodeAnswer,
  type NodeAnswers,
  type QuestionArgs,
  type QuestionKind,
  type QuestionRow,
  questions,
} from '../http/forms/questions.ts';
import type { Answer } from '../mesh/answers.ts';
import type { AnswerEnd, Query, TakePart } from '../mesh/questions.ts';
import { CodeCounter, counter, type MetricFamily } from '../observe/metrics.ts';

/** Questions that are asked at once; others wait for their turn. */
const MAX_ASKS = 8;
/** Beyond so many that wait, nobody is asked. */
const MAX_WAITING = 64;
/** The answers of all nodes to one question, as JSON: a node that goes beyond it has failed. */
const MAX_ASK_BYTES = 32 * 1024 * 1024;

/** What the nodes that were asked know. */
export interface NodesTold<K extends QuestionKind> {
  /** Of each node in its order, node after node. */
  readonly rows: readonly QuestionRow<K>[];
  /** Rows that there are at the nodes that answered, those that were left out among them. */
  readonly total: number;
  /** Nodes that did not answer: nothing of them is in the rows. */
  readonly stale: readonly StaleNode[];
}

/** How nodes are asked. `request` is the id of the request that it is for, for the logs. */
export interface AskNodes {
  /** All nodes. @throws TidewayError `cluster.busy` */
  all<K extends QuestionKind>(kind: K, args: QuestionArgs<K>, request: string): Promise<NodesTold<K>>;
  /** Some nodes, each once. @throws TidewayError `cluster.busy` */
  some<K extends QuestionKind>(
    nodes: readonly string[],
    kind: K,
    args: QuestionArgs<K>,
    request: string,
  ): Promise<NodesTold<K>>;
}

/** The other nodes, as far as this one is linked to them. */
export interface LinkedNodes {
  readonly nodes: readonly string[];
  /** Never rejects. */
  ask(node: string, query: Query, take: TakePart): Promise<AnswerEnd>;
}

export interface ClusterAskNeeds {
  readonly log: Log;
  readonly slices: Slices;
  /** This node. */
  readonly self: string;
  /** What this node answers; there are no rows of what is not among them. */
  readonly answers: Partial<NodeAnswers>;
  /** The other nodes of the cluster. */
  readonly members: () => readonly string[];
  /** Undefined: a node alone. */
  readonly linked: () => LinkedNodes | undefined;
}

/** What one node answers, or why it does not. */
type NodeRows<K extends QuestionKind> = Pick<NodesTold<K>, 'rows' | 'total'> | StaleNode;

/** What the answers to one question have cost so far. */
interface Spent {
  bytes: number;
}

const NO_ROWS = { rows: [], total: 0 };

export class ClusterAsk implements AskNodes {
  readonly #needs: ClusterAskNeeds;
  #asking = 0;
  /** Bounded by MAX_WAITING. */
  readonly #waiting: (() => void)[] = [];
  /** Counters that metrics read. */
  asked = 0;
  refused = 0;
  readonly stale = new CodeCounter('why');

  constructor(needs: ClusterAskNeeds) {
    this.#needs = needs;
  }

  all<K extends QuestionKind>(kind: K, args: QuestionArgs<K>, request: string): Promise<NodesTold<K>> {
    const { self, members, linked } = this.#needs;
    return this.some([self, ...members(), ...(linked()?.nodes ?? [])], kind, args, request);
  }

  async some<K extends QuestionKind>(
    nodes: readonly string[],
    kind: K,
    args: QuestionArgs<K>,
    request: string,
  ): Promise<NodesTold<K>> {
    await this.#seat();
    this.asked += 1;
    try {
      const spent: Spent = { bytes: 0 };
      const query = { kind, args: JSON.stringify(args), request };
      const linked = this.#needs.linked();
      const answers = await Promise.all(
        [...new Set(nodes)].sort().map((node) => {
          if (node === this.#needs.self) return this.#own(kind, args, { request });
          return this.#other(node, { kind, query, linked, spent });
        }),
      );
      return this.#joined<K>(answers);
    } finally {
      this.#release();
    }
  }

  /**
   * What this node answers to another.
   * @throws TidewayError `mesh.question`
   */
  answer(peer: string, { kind, args, request }: Query): Answer {
    this.#needs.log.debug({ peer, kind, request }, 'mesh.asked');
    if (!isKind(kind)) throw badQuestion('this node knows no such question');
    const read = questions[kind].args.safeParse(parsed(args));
    if (!read.success) throw badQuestion(`the arguments are not those of '${kind}'`);
    const { total, rows } = this.#answerOf(kind, read.data as QuestionArgs<typeof kind>, { request });
    return { total, rows: limited(rows) };
  }

  get tables(): Table[] {
    return [
      { table: 'cluster_asks', entries: this.#asking, limit: MAX_ASKS },
      { table: 'cluster_asks_waiting', entries: this.#waiting.length, limit: MAX_WAITING },
      { table: 'sliced_jobs', entries: this.#needs.slices.count, limit: undefined },
    ];
  }

  metrics(): MetricFamily[] {
    return [
      counter('tideway_cluster_asks_total', 'Questions to all nodes or some.', this.asked),
      counter(
        'tideway_cluster_asks_refused_total',
        'Questions that were not asked, since too many waited.',
        this.refused,
      ),
      counter(
        'tideway_cluster_stale_total',
        'Nodes that did not answer a question, by why.',
        this.stale.samples(),
      ),
    ];
  }

  async #seat(): Promise<void> {
    if (this.#asking < MAX_ASKS) {
      this.#asking += 1;
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      this.refused += 1;
      throw new TidewayError('cluster.busy', `${MAX_WAITING} questions to the cluster wait at this node`);
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Who waits longest has the seat; nobody comes between. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#asking -= 1;
  }

  #own<K extends QuestionKind>(kind: K, args: QuestionArgs<K>, asker: Asker): Promise<NodeRows<K>> {
    return this.#needs.slices.run(collected(() => this.#answerOf(kind, args, asker)));
  }

  async #other<K extends QuestionKind>(
    node: string,
    how: { kind: K; query: Query; linked: LinkedNodes | undefined; spent: Spent },
  ): Promise<NodeRows<K>> {
    const { kind, query, linked, spent } = how;
    if (!linked?.nodes.includes(node)) return this.#left(node, 'no-link');
    const parts: Promise<QuestionRow<K>[] | undefined>[] = [];
    let isBroken = false;
    const end = await linked.ask(node, query, (text) => {
      spent.bytes += text.length;
      if (isBroken || spent.bytes > MAX_ASK_BYTES) return false;
      const part = this.#needs.slices.run(rowsIn(text, kind, node));
      void part.then((rows) => {
        isBroken ||= rows === undefined;
      });
      parts.push(part);
      return true;
    });
    if (end.is === 'failed') return this.#left(node, whyOf(end.why));
    const rows: QuestionRow<K>[] = [];
    for (const part of await Promise.all(parts)) {
      if (part === undefined || rows.length + part.length > MAX_ROWS) return this.#left(node, 'failed');
      for (const row of part) rows.push(row);
    }
    return { rows, total: Math.max(end.total, rows.length) };
  }

  #left(node: string, why: StaleNode['why']): StaleNode {
    this.stale.count(why);
    return { node, why };
  }

  #joined<K extends QuestionKind>(answers: readonly NodeRows<K>[]): NodesTold<K> {
    const rows: QuestionRow<K>[] = [];
    const stale: StaleNode[] = [];
    let total = 0;
    for (const answer of answers) {
      if ('why' in answer) stale.push(answer);
      else {
        for (const row of answer.rows) rows.push(row);
        total += answer.total;
      }
    }
    return { rows, total, stale };
  }

  #answerOf<K extends QuestionKind>(kind: K, args: QuestionArgs<K>, asker: Asker): NodeAnswer<K> {
    const answers: { readonly [A in K]?: (args: QuestionArgs<A>, asker: Asker) => NodeAnswer<A> } =
      this.#needs.answers;
    return answers[kind]?.(args, asker) ?? NO_ROWS;
  }
}

function isKind(kind: string): kind is QuestionKind {
  return Object.hasOwn(questions, kind);
}

function badQuestion(message: string): TidewayError {
  return new TidewayError('mesh.question', message);
}

/** Undefined: it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function* limited<T>(rows: Iterable<T>): Generator<T> {
  let count = 0;
  for (const row of rows) {
    if (count === MAX_ROWS) return;
    count += 1;
    yield row;
  }
}

/** The answer of this node, with its rows taken one a step. */
function* collected<K extends QuestionKind>(answer: () => NodeAnswer<K>): Generator<void, NodeRows<K>> {
  const { total, rows } = answer();
  const taken: QuestionRow<K>[] = [];
  for (const row of limited(rows)) {
    taken.push(row);
    yield;
  }
  return { rows: taken, total };
}

/** The rows of a part of a node's answer, one a step; undefined: they have not their form, or are another node's. */
function* rowsIn<K extends QuestionKind>(
  text: string,
  kind: K,
  node: string,
): Generator<void, QuestionRow<K>[] | undefined> {
  const values = parsed(text);
  if (!Array.isArray(values)) return undefined;
  const rows: QuestionRow<K>[] = [];
  for (const value of values) {
    const read = questions[kind].row.safeParse(value);
    if (!read.success || tellerOf(read.data) !== node) return undefined;
    rows.push(read.data as QuestionRow<K>);
    yield;
  }
  return rows;
}

/** A node tells of itself. In a decision, `node` is who was chosen. */
function tellerOf(row: { readonly node: string | null; readonly by?: string }): string | null {
  return row.by ?? row.node;
}

function whyOf({ code }: Reason): StaleNode['why'] {
  if (code === 'mesh.link-closed') return 'no-link';
  return code === 'mesh.no-answer' ? 'no-answer' : 'failed';
}
