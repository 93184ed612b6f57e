import { expect, test } from 'vitest';
import { isWell, type StatusFacts, statusText, troublesOf } from '../../../src/cli/status-text.ts';
import type { AlarmRow } from '../../../src/http/forms/alarms.ts';
import type { NodeRow, StatusAnswer } from '../../../src/http/forms/nodes.ts';
import { alarmRow, alarmsAnswer, nodeRow, nodesAnswer, statusAnswer } from '../../support/state-answers.ts';

const AWAY = { code: 'registry.away', message: 'Redis does not answer' };

function facts(status: StatusAnswer, more: { nodes?: NodeRow[]; alarms?: AlarmRow[] } = {}): StatusFacts {
  return {
    status,
    nodes: nodesAnswer(...(more.nodes ?? [])),
    alarms: alarmsAnswer(more.alarms ?? []),
  };
}

test('a cluster that is well is its sums and its regions', () => {
  const status = statusAnswer(
    {},
    {
      capacityBytesPerS: 125_000_000,
      regions: [
        { region: 'coast', nodes: 2, players: 24, streams: 5, sentBytesPerS: 5_000_000 },
        { region: '', nodes: 1, players: 12, streams: 2, sentBytesPerS: 1_250_000 },
      ],
    },
  );
  expect(statusText(facts(status)).split('\n')).toEqual([
    'Tideway 1.2.3 on a, up for 2 m; registry up',
    'Nodes    3 up, 0 draining, 0 silent; 0 alarms',
    'Serving  36 players, 3 publishers, 7 copies of streams',
    'Traffic  in 3.0 Mbit/s, out 50 Mbit/s, 5 % of 125 MB/s',
    '',
    'REGION  NODES  STREAMS  PLAYERS        OUT',
    'coast       2        5       24  40 Mbit/s',
    '-           1        2       12  10 Mbit/s',
    '',
    'All is well.',
    '',
  ]);
});

test.each([
  ['a node is silent', statusAnswer({}, { nodes: { up: 2, draining: 0, silent: 1 } })],
  ['an alarm lasts', statusAnswer({}, { alarms: 1 })],
  ['the registry is away', statusAnswer({ registry: 'away' })],
  ['the node takes nobody', statusAnswer({ notReady: AWAY })],
  ['something is wrong with the node', statusAnswer({ trouble: AWAY })],
])('all is not well while %s', (_, status) => {
  expect(isWell(status)).toBe(false);
  expect(statusText(facts(status))).not.toContain('All is well');
  expect(troublesOf(facts(status))).toHaveLength(1);
});

test('a draining node is told of, and all is well', () => {
  const status = statusAnswer({}, { nodes: { up: 2, draining: 1, silent: 0 } });
  expect(isWell(status)).toBe(true);
  expect(statusText(facts(status))).toContain('2 up, 1 draining, 0 silent');
});

test('what is wrong is told with what to do, the node that answers first, streams last', () => {
  const status = statusAnswer(
    { trouble: AWAY, registry: 'away' },
    { nodes: { up: 1, draining: 0, silent: 2 }, alarms: 3 },
  );
  const alarms = [
    alarmRow(),
    alarmRow({ kind: 'stalled', hop: null, node: 'a', stream: 'live/x', detail: 'no frame for 4 s' }),
    alarmRow({ until: '2026-01-01T00:01:00.000Z' }),
  ];
  const nodes = [nodeRow('a', { leaseMs: null }), nodeRow('b', { leaseMs: 0 }), nodeRow('c', { leaseMs: 0 })];
  expect(troublesOf(facts(status, { nodes, alarms })).map(({ what }) => what)).toEqual([
    'a: Redis does not answer',
    'b, c are silent: no heartbeat comes to the registry',
    'live/show: frames take 640 ms from a to b',
    'live/x: no frame for 4 s',
    '1 more alarm',
  ]);
  const text = statusText(facts(status, { nodes, alarms }));
  expect(text).toContain('\n  live/x: no frame for 4 s\n    look at the encoder: ');
  expect(text).toContain('\nstalled   live/x     publisher at a    2 m   lasts  no frame for 4 s\n');
  expect(text.match(/hop-slow/g)).toHaveLength(1);
  expect(text).toContain('\n    no node is heard while the registry is away: LINK of "tideway nodes" tells');
  const heard = statusText(facts({ ...status, registry: 'up' }, { nodes, alarms }));
  expect(heard).toContain('\n    does the process run, and reach the registry? ');
});

test('a status holds nothing that a terminal obeys', () => {
  const evil = 'x\u001b[2J\u0007\u009b';
  const status = statusAnswer(
    { version: evil, trouble: { code: 'a.b', message: evil } },
    { regions: [{ region: evil, nodes: 1, players: 0, streams: 0, sentBytesPerS: 0 }] },
  );
  const text = statusText(facts(status, { alarms: [alarmRow({ detail: evil })] }));
  for (const command of ['\u0007', '\u001b', '\u009b']) expect(text).not.toContain(command);
  expect(text.match(/x\?\[2J\?\?/g)).toHaveLength(5);
});
