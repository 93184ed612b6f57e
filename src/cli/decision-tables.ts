// Decisions as tables: what was chosen of late and why, and what the newest decision was between. Pure.
import type { DecisionRow, DecisionsAnswer } from '../http/forms/decisions.ts';
import { type Paint, plain } from './paint.ts';
import { staleText } from './stale-text.ts';
import { type Column, numberColumns, tableText } from './table.ts';
import { NONE, placeText, sinceText } from './units.ts';

const DECISION_COLUMNS: readonly Column[] = [
  { head: 'AGO', align: 'right' },
  { head: 'BY' },
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
  ...numberColumns(upper(SCORE_PARTS)),
  { head: 'PROMISED', align: 'right' },
];

const PARENT_COLUMNS: readonly Column[] = [
  { head: 'CANDIDATE' },
  { head: 'COST MS', align: 'right' },
  ...numberColumns(upper(COST_PARTS)),
];

const FILTERED_COLUMNS: readonly Column[] = [{ head: 'NOT CHOSEN' }, { head: 'BECAUSE OF' }];

/** `tideway why`: the decisions, and behind them the candidates of the newest. */
export function decisionsText(answer: DecisionsAnswer, paint: Paint = plain): string {
  const { node, asOf, decisions, stale } = answer;
  const [newest] = decisions;
  if (!newest) return `${node} decided nothing about it of late\n${staleText(stale)}`;
  const tables = [
    tableText(
      DECISION_COLUMNS,
      decisions.map((row) => decisionCells(row, asOf)),
      paint,
    ),
    candidatesText(newest, paint),
    filteredTable(newest, paint),
  ];
  return tables.filter((table) => table !== '').join('\n') + staleText(stale);
}

function decisionCells({ time, by, kind, place, node, why }: DecisionRow, asOf: string): string[] {
  return [sinceText(time, asOf), by, kind, placeText(place?.region, place?.zone), node ?? NONE, why];
}

function candidatesText({ considered, parents }: DecisionRow, paint: Paint): string {
  if (parents.length > 0) {
    return tableText(
      PARENT_COLUMNS,
      parents.map(({ node, total, parts }) => [
        ...[node, total.toFixed(1)],
        ...COST_PARTS.map((part) => parts[part].toFixed(1)),
      ]),
      paint,
    );
  }
  if (considered.length === 0) return '';
  return tableText(
    CANDIDATE_COLUMNS,
    considered.map(({ node, region, score, parts, promised }) => [
      ...[node, region || NONE, score.toFixed(3)],
      ...SCORE_PARTS.map((part) => parts[part].toFixed(3)),
      promised.players.toFixed(1),
    ]),
    paint,
  );
}

function filteredTable({ filtered }: DecisionRow, paint: Paint): string {
  if (filtered.length === 0) return '';
  return tableText(
    FILTERED_COLUMNS,
    filtered.map(({ reason, count, nodes }) => {
      const unnamed = count - nodes.length;
      return [nodes.join(', ') + (unnamed > 0 ? ` and ${unnamed} more` : ''), reason];
    }),
    paint,
  );
}

function upper(names: readonly string[]): string[] {
  return names.map((name) => name.toUpperCase());
}
