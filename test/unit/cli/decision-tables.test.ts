import { expect, test } from 'vitest';
import { decisionsText } from '../../../src/cli/decision-tables.ts';
import type { DecisionRow } from '../../../src/http/forms/decisions.ts';
import { CLUSTER } from '../../support/state-answers.ts';

const PARTS = { cpu: 0.25, memory: 0.125, bandwidth: 0, place: 1, link: 0, price: 0, stream: 0.5 };

function row(fields: Partial<DecisionRow> = {}): DecisionRow {
  return {
    ...{ id: 1, by: 'a', time: '2026-01-01T00:00:00.000Z', kind: 'play', stream: 'live/show', node: 'b' },
    ...{ place: { region: 'eu', zone: 'eu-1' }, why: 'the best (score 2.400)' },
    ...{ considered: [], filtered: [], parents: [], ...fields },
  };
}

function lines(...decisions: DecisionRow[]): string[] {
  return decisionsText({ ...CLUSTER, total: decisions.length, truncated: false, decisions }).split('\n');
}

test('decisions are listed newest first, and the newest with its candidates and those that were left out', () => {
  const newest = row({
    considered: [
      { node: 'b', region: 'us', score: 2.4, parts: PARTS, promised: { players: 1.26, bytesPerS: 9 } },
      { node: 'c', region: '', score: 3, parts: PARTS, promised: { players: 0, bytesPerS: 0 } },
    ],
    filtered: [
      { reason: 'cpu', count: 2, nodes: ['d', 'e'] },
      { reason: 'draining', count: 17, nodes: ['f'] },
    ],
  });
  const older = row({
    ...{ time: '2026-01-01T00:01:50.000Z', kind: 'publish', place: null, node: null },
    ...{ why: 'no node is left', filtered: [{ reason: 'players', count: 1, nodes: ['x'] }] },
  });
  expect(lines(newest, older)).toEqual([
    ' AGO  BY  WHAT     FOR      CHOSEN  WHY',
    ' 2 m  a   play     eu/eu-1  b       the best (score 2.400)',
    '10 s  a   publish  -        -       no node is left',
    '',
    'CANDIDATE  REGION  SCORE    CPU  MEMORY  BANDWIDTH  PLACE   LINK  PRICE  STREAM  PROMISED',
    'b          us      2.400  0.250   0.125      0.000  1.000  0.000  0.000   0.500       1.3',
    'c          -       3.000  0.250   0.125      0.000  1.000  0.000  0.000   0.500       0.0',
    '',
    'NOT CHOSEN     BECAUSE OF',
    'd, e           cpu',
    'f and 16 more  draining',
    '',
  ]);
});

test('where a stream is pulled from is listed with what each node would cost', () => {
  const parts = { rtt: 1.25, hops: 20, loss: 0, busy: 0, price: 500, draining: 0 };
  expect(
    lines(
      row({ kind: 'upstream', place: null, why: 'cheaper', parents: [{ node: 'b', total: 521.25, parts }] }),
    ),
  ).toEqual([
    'AGO  BY  WHAT      FOR  CHOSEN  WHY',
    '2 m  a   upstream  -    b       cheaper',
    '',
    'CANDIDATE  COST MS  RTT  HOPS  LOSS  BUSY  PRICE  DRAINING',
    'b            521.3  1.3  20.0   0.0   0.0  500.0       0.0',
    '',
  ]);
});

test('of a stream that nobody asked for there is nothing to tell', () => {
  expect(lines()).toEqual(['a decided nothing about it of late', '']);
});
