// What operators tell a node over its API: `/api/v1/node/drain`, `/api/v1/node/reload`. What is done comes from a narrow interface.
import type { Handlers } from './api-operations.ts';
import type { DrainAnswer } from './forms/drain.ts';
import type { ReloadAnswer } from './forms/reload.ts';

export interface DrainControl {
  state(): DrainAnswer;
  /** @throws TidewayError `node.stopping` */
  begin(deadlineMs: number): void;
  /** @throws TidewayError `node.stopping` */
  undo(): void;
}

/** What drains a node, and takes it back. */
export function drainHandlers(drain: DrainControl): Pick<Handlers, 'showDrain' | 'beginDrain' | 'undoDrain'> {
  const told = () => ({ status: 200, document: drain.state() }) as const;
  return {
    showDrain: told,
    beginDrain: ({ body }) => {
      drain.begin(body.deadlineSeconds * 1000);
      return told();
    },
    undoDrain: () => {
      drain.undo();
      return told();
    },
  };
}

/**
 * What has a node read its configuration again.
 * @param reload throws TidewayError `config.*`
 */
export function reloadHandlers(reload: () => Promise<ReloadAnswer>): Pick<Handlers, 'reload'> {
  return { reload: async () => ({ status: 200, document: await reload() }) };
}
