// Decisions as tables: what was chosen of late and why, and what the newest decision was between. Pure.
import type { DecisionRow, DecisionsAnswer } from '../http/forms/decisions.ts';
import { type Column, durationText, tableText } from './table.ts';

const DECISION_COLUMNS: readonly Column[] = [
  { head: 'AGO', align: 'right' },
  { head: 'WHAT' },
  { head: 'FOR' },
  { head: 'CHOSEN' },
  { head: 'WHY' },
];

const SCORE_PARTS = ['cpu', 'memory', 'bandwidth', 'place', 'link', 'price', 'stream'] as const;
const COST_PARTS = ['rtt', 'hops', 'loss', 'busy', 'price', 'draining'] as const;

const CANDIDATE_COLUMNS: readonly Column[] = [
  { head: 'CANDIDATE' },
  { head: 'REGION' },
  { head: 'SCORE', align: 'right' },
  ...numberColumns(SCORE_PARTS),
  { head: 'PROMISED', align: 'right' },
];

const PARENT_COLUMNS: readonly Column[] = [
  { head: 'CANDIDATE' },
  { head: 'COST MS', align: 'right' },
  ...numberColumns(COST_PARTS),
];

const FILTERED_COLUMNS: readonly Column[] = [{ head: 'NOT CHOSEN' }, { head: 'BECAUSE OF' }];

/** `tideway why`: the decisions, and behind them the candidates of the newest. */
export function decisionsText({ node, asOf, decisions }: DecisionsAnswer): string {
  const [newest] = decisions;
  if (!newest) return `${node} decided nothing about it of late\n`;
  const nowWallMs = Date.parse(asOf);
  const tables = [
    tableText(
      DECISION_COLUMNS,
      decisions.map((row) => decisionCells(row, nowWallMs)),
    ),
    candidatesText(newest),
    filteredTable(newest),
  ];
  return tables.filter((table) => table !== '').join('\n');
}

function decisionCells({ time, kind, place, node, why }: DecisionRow, nowWallMs: number): string[] {
  const from = [place?.region ?? '', place?.zone ?? ''].filter((part) => part !== '').join('/');
  return [durationText(nowWallMs - Date.parse(time)), kind, from || '-', node ?? '-', why];
}

function candidatesText({ considered, parents }: DecisionRow): string {
  if (parents.length > 0) {
    return tableText(
      PARENT_COLUMNS,
      parents.map(({ node, total, parts }) => [
        ...[node, total.toFixed(1)],
        ...COST_PARTS.map((part) => parts[part].toFixed(1)),
      ]),
    );
  }
  if (considered.length === 0) return '';
  return tableText(
    CANDIDATE_COLUMNS,
    considered.map(({ node, region, score, parts, promised }) => [
      ...[node, region || '-', score.toFixed(3)],
      ...SCORE_PARTS.map((part) => parts[part].toFixed(3)),
      promised.players.toFixed(1),
    ]),
  );
}

function filteredTable({ filtered }: DecisionRow): string {
  if (filtered.length === 0) return '';
  return tableText(
    FILTERED_COLUMNS,
    filtered.map(({ reason, count, nodes }) => {
      const unnamed = count - nodes.length;
      return [nodes.join(', ') + (unnamed > 0 ? ` and ${unnamed} more` : ''), reason];
    }),
  );
}

function numberColumns(names: readonly string[]): Column[] {
  return names.map((name) => ({ head: name.toUpperCase(), align: 'right' }));
}
