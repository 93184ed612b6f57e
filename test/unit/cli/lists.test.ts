import { expect, test } from 'vitest';
import { adviceFor, alarmsText } from '../../../src/cli/alarm-text.ts';
import { eventLine, eventsText } from '../../../src/cli/event-lines.ts';
import { linksText } from '../../../src/cli/link-table.ts';
import { kickedText, sessionsText } from '../../../src/cli/session-table.ts';
import { trafficText } from '../../../src/cli/traffic-table.ts';
import type { EventRow } from '../../../src/http/forms/alarms.ts';
import type { TrafficAnswer } from '../../../src/http/forms/traffic.ts';
import { alarmRow, alarmsAnswer, CLUSTER, sessionRow } from '../../support/state-answers.ts';

const EVENT: EventRow = {
  ...{ id: 7, node: 'a', time: '2026-01-01T00:00:00.000Z', level: 'info', event: 'publish.begin' },
  ...{ stream: 'live/show', fields: { session: 'abcd1234', remote: '10.0.0.9:4000', takeover: false } },
};

function traffic(by: TrafficAnswer['by'], ...rows: TrafficAnswer['rows']): string[] {
  return trafficText({ ...CLUSTER, total: 1, truncated: false, windowMs: 3_600_000, by, rows })
    .trimEnd()
    .split('\n');
}

const ROW = { direction: 'out', bytes: 2e9, windowBytes: 5e6, cost: 0.16, windowCost: 0.0004 } as const;

test('sessions are listed with what they lost, and why they ended', () => {
  const sessions = [
    sessionRow({ state: 'behind', backlogBytes: 4_000_000, dropped: 120, skips: 2 }),
    sessionRow({
      ...{ id: 'ef', kind: 'publisher', protocol: 'rtmp', node: 'b', state: 'ended', bytesPerS: 0 },
      ended: { code: 'publish.takeover', message: 'a newer publisher took over' },
    }),
  ];
  const answer = { ...CLUSTER, total: 2, truncated: false };
  expect(sessionsText({ ...answer, sessions }).split('\n')).toEqual([
    'SESSION   KIND       STREAM     NODE  BY        FROM           STATE   FOR        RATE  BYTES  BACKLOG  DROPPED  SKIPS  ENDED',
    'abcd1234  player     live/show  a     http-flv  10.0.0.9:4000  behind  2 m  2.0 Mbit/s  30 MB   4.0 MB      120      2',
    'ef        publisher  live/show  b     rtmp      10.0.0.9:4000  ended   2 m  0.0 Mbit/s  30 MB      0 B        0      0  publish.takeover: a newer publisher took over',
    '',
  ]);
  expect(sessionsText({ ...answer, sessions: [] })).toBe('no sessions\n');
});

test('links are listed from both ends, what is not known yet as a dash', () => {
  const known = {
    ...{ rttMs: 20.4, rttDevMs: 0.31, offsetMs: -5, lossShare: 0.02, receivedBytesPerS: 125_000 },
    ...{
      sentBytesPerS: 250_000,
      dialledBy: 'b',
      ageMs: 60_000,
      receivedBytes: 1,
      sentBytes: 2,
      queueBytes: 64_000,
    },
  };
  const unknown = {
    rttMs: null,
    rttDevMs: null,
    lossShare: null,
    receivedBytesPerS: null,
    sentBytesPerS: null,
  };
  const links = [
    { ...known, node: 'a', peer: 'b' },
    { ...known, ...unknown, node: 'b', peer: 'a', queueBytes: 0 },
  ];
  expect(linksText({ ...CLUSTER, links }).split('\n')).toEqual([
    'NODE  PEER  OPEN FOR    RTT  DEVIATION  LOSS          IN         OUT  QUEUE  DIALLED BY',
    'a     b          1 m  20 ms     0.3 ms   2 %  1.0 Mbit/s  2.0 Mbit/s  64 kB  b',
    'b     a          1 m      -          -     -           -           -    0 B  b',
    '',
  ]);
});

test('who was kicked is named', () => {
  expect(kickedText(sessionRow())).toBe(
    'ended player abcd1234 of live/show at a, from 10.0.0.9:4000, after 2 m\n',
  );
});

test('alarms are listed with where they are, and how long they lasted', () => {
  const alarms = [
    alarmRow(),
    alarmRow({ kind: 'no-key-frame', hop: null, until: '2026-01-01T00:00:12.000Z', detail: 'none for 15 s' }),
  ];
  expect(alarmsText(alarmsAnswer(alarms)).split('\n')).toEqual([
    'ALARM         STREAM     WHERE           BEGAN  LASTED  DETAIL',
    'hop-slow      live/show  a -> b            2 m   lasts  frames take 640 ms from a to b',
    'no-key-frame  live/show  publisher at b    2 m    12 s  none for 15 s',
    '',
  ]);
  expect(alarmsText(alarmsAnswer([]))).toBe('no alarms\n');
});

test('advice about a hop names its nodes or its tree, and no encoder; of a publisher it is about the encoder', () => {
  expect(adviceFor(alarmRow({ kind: 'stalled' }))).toMatch(/between a and b/);
  expect(adviceFor(alarmRow({ kind: 'hop-slow' }))).toMatch(/tideway stream live\/show/);
  for (const kind of ['stalled', 'no-key-frame', 'bitrate-collapsed'] as const) {
    expect(adviceFor(alarmRow({ kind, hop: null }))).toMatch(/encoder/);
  }
});

test('events are lines, the oldest first, with their fields by name', () => {
  const later = {
    ...EVENT,
    level: 'warn',
    event: 'play.end',
    stream: null,
    fields: { why: 'it "ended"' },
  } as const;
  expect(eventsText([later, EVENT])).toBe(
    '2026-01-01T00:00:00.000Z a info publish.begin live/show session=abcd1234 remote=10.0.0.9:4000 takeover=false\n' +
      '2026-01-01T00:00:00.000Z a warn play.end why="it \\"ended\\""\n',
  );
});

test('without events it says so', () => {
  expect(eventsText([])).toBe('no events\n');
});

test('an event is one line, and obeyed by no terminal, whatever is in it', () => {
  const evil = '\u001b]0;x\u0007\n\u009b';
  const line = eventLine({ ...EVENT, event: evil, fields: { [evil]: evil } });
  expect(line.match(/\n/g)).toHaveLength(1);
  for (const command of ['\u0007', '\u001b', '\u009b']) expect(line).not.toContain(command);
});

test('traffic is summed up by what was asked for, with what it cost', () => {
  expect(traffic('node', { ...ROW, node: 'a' })).toEqual([
    'NODE  WAY  SINCE START  LAST 1 H      COST  COST LAST 1 H',
    'a     out       2.0 GB    5.0 MB  0.160000       0.000400',
  ]);
  expect(traffic('stream', { ...ROW, stream: null, cost: 12.345, windowCost: 0 })).toEqual([
    'STREAM            WAY  SINCE START  LAST 1 H   COST  COST LAST 1 H',
    'others, together  out       2.0 GB    5.0 MB  12.35              -',
  ]);
});

test('traffic between regions tells the way that it went', () => {
  const rows = [
    { ...ROW, region: 'hills', ownRegion: 'coast' },
    { ...ROW, direction: 'in' as const, region: 'hills', ownRegion: 'coast' },
    { ...ROW, region: null, ownRegion: 'coast' },
    { ...ROW, direction: 'in' as const, region: null, ownRegion: '' },
  ];
  expect(traffic('regions', ...rows).map((line) => line.slice(0, 16).trimEnd())).toEqual([
    'REGIONS',
    'coast > hills',
    'hills > coast',
    'coast > players',
    'publishers > -',
  ]);
});
