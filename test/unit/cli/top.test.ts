import { expect, test } from 'vitest';
import { plain } from '../../../src/cli/paint.ts';
import { type TopFacts, type TopView, topAct, topScreen, topText } from '../../../src/cli/top-screen.ts';
import {
  alarmRow,
  alarmsAnswer,
  LOAD,
  nodeRow,
  nodesAnswer,
  statusAnswer,
  streamRow,
  streamsAnswer,
} from '../../support/state-answers.ts';

const STREAMS: TopView = { rows: 'streams', sort: 'players' };

function facts(fields: Partial<TopFacts> = {}): TopFacts {
  return {
    status: statusAnswer(),
    nodes: nodesAnswer(
      nodeRow('a'),
      nodeRow('b', { region: 'eu', load: { ...LOAD, players: 9, loopLagMs: 1.25, cpu: 0.5, alarms: 2 } }),
    ),
    streams: streamsAnswer([streamRow({ players: 12, bitsPerS: 1e6, frameRate: 25, video: 'H.264' })], {
      total: 40,
    }),
    alarms: alarmsAnswer([]),
    ...fields,
  };
}

function screen(
  columns: number,
  rows: number,
  more: { view?: TopView; note?: string; facts?: TopFacts } = {},
) {
  const { view = STREAMS, note = '' } = more;
  return topScreen(more.facts ?? facts(), { view, size: { columns, rows }, paint: plain, note });
}

test('top is the sums, and streams with what they carry', () => {
  expect(topText(facts(), STREAMS).split('\n').slice(5)).toEqual([
    'STREAM     ORIGIN  STATE  FOR  NODES  PLAYERS     BITRATE   FPS  CODECS',
    'live/show  a       live   2 m      1       12  1.0 Mbit/s  25.0  H.264',
    'and 39 more',
    '',
  ]);
});

test('top shows nodes, those with the most players first', () => {
  expect(
    topText(facts(), { ...STREAMS, rows: 'nodes' })
      .split('\n')
      .slice(5),
  ).toEqual([
    'NODE  REGION  STATE  PLAYERS  STREAMS  ALARMS   CPU  MEM  LOOP     LAG          IN         OUT',
    'b     eu      up           9        0       2  50 %  0 %   0 %  1.3 ms  0.0 Mbit/s  0.0 Mbit/s',
    'a     -       up           0        0       0   0 %  0 %   0 %  0.0 ms  0.0 Mbit/s  0.0 Mbit/s',
    '',
  ]);
});

test('alarms that last stand above, and those that are too many are counted', () => {
  const ended = alarmRow({ until: '2026-01-01T00:01:00.000Z', detail: 'over' });
  const alarms = alarmsAnswer([...Array.from({ length: 5 }, () => alarmRow()), ended]);
  const lines = topText(facts({ alarms }), STREAMS).split('\n');
  expect(lines.slice(4, 8)).toEqual([
    ...Array(3).fill('hop-slow live/show, a -> b, 2 m: frames take 640 ms from a to b'),
    'and 2 more',
  ]);
});

test('a screen is filled to its last line, which tells the keys, and nothing is wider', () => {
  const lines = screen(60, 20);
  expect(lines).toHaveLength(20);
  expect(lines.at(-1)).toBe('by players   q quit   t nodes   p players  b bitrate  n node');
  expect(Math.max(...lines.map((line) => line.length))).toBe(60);
});

test('a screen that is small cuts rows, never its last line', () => {
  const streams = streamsAnswer(Array.from({ length: 50 }, (_, at) => streamRow({ key: `live/${at}` })));
  const lines = screen(200, 12, { facts: facts({ streams }) });
  expect(lines).toHaveLength(12);
  expect(lines[9]).toMatch(/^live\/3 /);
  expect(lines.at(-1)).toMatch(/^by players {3}q quit .* k key$/);
  expect(screen(1, 1)).toHaveLength(2);
});

test('what may be old is said instead of the keys', () => {
  expect(screen(80, 10, { note: 'This is old.\u001b[2J' }).at(-1)).toBe('This is old.?[2J');
});

test('keys quit, sort and change what is shown; others do nothing', () => {
  for (const key of ['q', 'Q', '\u0003', '\u0004']) expect(topAct(key, STREAMS)).toEqual({ is: 'quit' });
  for (const [key, sort] of [
    ['b', 'bitrate'],
    ['N', 'nodes'],
    ['s', 'since'],
    ['k', 'key'],
    ['p', 'players'],
  ] as const) {
    expect(topAct(key, STREAMS)).toEqual({ is: 'show', view: { rows: 'streams', sort } });
  }
  expect(topAct('t', STREAMS)).toEqual({ is: 'show', view: { rows: 'nodes', sort: 'players' } });
  expect(topAct('\t', { rows: 'nodes', sort: 'key' })).toEqual({
    is: 'show',
    view: { rows: 'streams', sort: 'key' },
  });
  for (const key of ['x', '\u001b', '']) expect(topAct(key, STREAMS)).toEqual({ is: 'nothing' });
});
