// `tideway drain`: tells a running node to empty itself, or to serve again, and says who is left while it waits.
import { type Clock, wait } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { DrainAnswer } from '../http/forms/drain.ts';
import type { DrainOrder } from './invocation.ts';
import { askDrain, type NodeApiOptions } from './node-api.ts';
import { counted } from './units.ts';

export interface DrainNeeds {
  readonly clock: Clock;
  /** One line for who waits. */
  readonly note: (line: string) => void;
}

const LOOK_EVERY_MS = 1_000;
/** While nobody goes, it is said so often that it still waits. */
const SAY_EVERY_MS = 10_000;

/**
 * Gives the order; where it waits, it resolves once nobody is left, or the deadline has passed.
 * @throws TidewayError as `askDrain` does, and `cli.drain-undone`
 */
export async function orderDrain(
  order: DrainOrder,
  node: NodeApiOptions,
  { clock, note }: DrainNeeds,
): Promise<DrainAnswer> {
  let answer = await askDrain(node, order);
  let said = '';
  let saidMs = Number.NEGATIVE_INFINITY;
  while (order.is === 'begin' && order.waits && answer.state !== 'drained') {
    if (answer.state === 'serving') {
      throw new TidewayError(
        'cli.drain-undone',
        `${answer.node} serves again: somebody has undone the drain`,
      );
    }
    const left = leftText(answer);
    if (left !== said || clock.now() - saidMs >= SAY_EVERY_MS) {
      note(drainText(answer));
      said = left;
      saidMs = clock.now();
    }
    await wait(clock, LOOK_EVERY_MS);
    answer = await askDrain(node, { is: 'look' });
  }
  return answer;
}

/** A drain in one line. */
export function drainText(answer: DrainAnswer): string {
  const { node, state, deadlineMs } = answer;
  if (state === 'serving') return `${node} serves: ${leftText(answer)}`;
  const isOver = deadlineMs === null || deadlineMs === 0;
  const deadline = isOver ? 'the deadline has passed' : `${Math.ceil(deadlineMs / 1000)} s to the deadline`;
  return state === 'drained'
    ? `${node} is drained: ${leftText(answer)}`
    : `${node} drains: ${leftText(answer)}, ${deadline}`;
}

function leftText({ players, publishers, children }: DrainAnswer): string {
  const left = [
    [players, 'player', 'players'],
    [publishers, 'publisher', 'publishers'],
    [children, 'stream for other nodes', 'streams for other nodes'],
  ] as const;
  const words = left.flatMap(([count, one, more]) => (count === 0 ? [] : [counted(count, one, more)]));
  return words.length === 0 ? 'nobody is on it' : words.join(', ');
}
