// Which nodes are missing in an answer, and why. Pure.
import type { StaleNode } from '../http/forms/common.ts';
import { safeText } from './safe-text.ts';

const WHY: Readonly<Record<StaleNode['why'], string>> = {
  'no-link': 'no link to it',
  'no-answer': 'no answer within 500 ms',
  failed: 'it could not answer',
};

/** One line each, with a line before them; '' without any. */
export function staleText(stale: readonly StaleNode[]): string {
  if (stale.length === 0) return '';
  const lines = stale.map(({ node, why }) => `missing here: what ${safeText(node)} knows (${WHY[why]})\n`);
  return `\n${lines.join('')}`;
}
