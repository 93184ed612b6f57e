// How a node is, in one word. Pure.
import type { NodeRow } from '../../src/http/forms/nodes.ts';

export interface NodeState {
  readonly word: 'up' | 'draining' | 'silent' | 'gone';
  readonly tone: 'good' | 'warn' | 'bad';
}

export function nodeState(row: Pick<NodeRow, 'leaseMs' | 'draining'> | undefined): NodeState {
  if (!row) return { word: 'gone', tone: 'bad' };
  if (row.leaseMs === 0) return { word: 'silent', tone: 'bad' };
  return row.draining ? { word: 'draining', tone: 'warn' } : { word: 'up', tone: 'good' };
}
