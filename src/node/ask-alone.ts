// A node alone, asked as a cluster of one is.
import type { NodeAnswers, QuestionArgs, QuestionKind } from '../http/forms/questions.ts';
import type { AskNodes, NodesTold } from './cluster-state.ts';

export class AskAlone implements AskNodes {
  readonly #self: string;
  readonly #answers: NodeAnswers;

  constructor(self: string, answers: NodeAnswers) {
    this.#self = self;
    this.#answers = answers;
  }

  async all<K extends QuestionKind>(kind: K, args: QuestionArgs<K>): Promise<NodesTold<K>> {
    const { rows, total } = this.#answers[kind](args);
    return { rows: [...rows] as NodesTold<K>['rows'], total, stale: [] };
  }

  async some<K extends QuestionKind>(
    nodes: readonly string[],
    kind: K,
    args: QuestionArgs<K>,
  ): Promise<NodesTold<K>> {
    const stale = nodes
      .filter((node) => node !== this.#self)
      .map((node) => ({ node, why: 'no-link' }) as const);
    const told = nodes.includes(this.#self) ? await this.all(kind, args) : { rows: [], total: 0 };
    return { ...told, stale };
  }
}
