import { expect, test } from 'vitest';
import { streamText } from '../../../src/cli/stream-text.ts';
import {
  alarmRow,
  hop,
  ORIGIN,
  QUALITY,
  sessionRow,
  treeAnswer,
  treeRow,
} from '../../support/state-answers.ts';

test('a stream is its tree with the delay of each hop, and what it is like at each node', () => {
  const publisher = sessionRow({ kind: 'publisher', protocol: 'rtmp', dropped: 2, bytesPerS: 262_000 });
  const answer = treeAnswer([
    treeRow('a', { players: 3, publisher }),
    treeRow('b', { upstream: 'a', players: 10, hop: hop('a', 'b'), ageMs: 12 }),
    treeRow('c', {
      ...{ upstream: 'b', players: 1, ageMs: 98, state: 'held' },
      hop: hop('b', 'c', { delayMs: 86.4, gaps: 1, resumes: 2, skipped: 30, queueBytes: 64_000 }),
      quality: { ...QUALITY, silentMs: 2500, dropped: 7, video: null, skewMs: null },
    }),
    treeRow('d', {
      upstream: 'a',
      hop: hop('a', 'd', { delayMs: null, errorMs: null, rttMs: null }),
      ageMs: null,
    }),
  ]);
  expect(streamText(answer).split('\n')).toEqual([
    'live/show  live, origin a, epoch 4096, for 2 m; 14 players at 4 nodes',
    'Media      H.264 640x360, 30.0 fps, 2.0 Mbit/s; AAC 44100 Hz, 2 channels, 96 kbit/s',
    'Publisher  10.0.0.9:4000 by rtmp, for 2 m, 2.1 Mbit/s, 2 frames of no use; session abcd1234',
    '',
    'NODE   STATE        PLAYERS       DELAY     AGE    RTT  JITTER  GAPS  RESUMES  SKIPPED  QUEUE',
    'a      origin live        3           -  0.0 ms      -       -     -        -        -      -',
    '├ b    live              10  12 ms ±1.5   12 ms  20 ms  0.8 ms     0        0        0    0 B',
    '│ └ c  held               1  86 ms ±1.5   98 ms  20 ms  0.8 ms     1        2       30  64 kB',
    '└ d    live               0           -       -      -  0.8 ms     0        0        0    0 B',
    '',
    'AT     BITRATE   FPS  KEY EVERY  JITTER  LONGEST GAP     A-V  DROPPED  SILENT',
    'a   2.1 Mbit/s  30.0      1.0 s  2.5 ms        45 ms  -12 ms        0   20 ms',
    'b   2.1 Mbit/s  30.0      1.0 s  2.5 ms        45 ms  -12 ms        0   20 ms',
    'c   2.1 Mbit/s     -          -  2.5 ms        45 ms       -        7   2.5 s',
    'd   2.1 Mbit/s  30.0      1.0 s  2.5 ms        45 ms  -12 ms        0   20 ms',
    '',
  ]);
});

test('nodes that did not answer are shown as the registry has them, and named', () => {
  const answer = treeAnswer([treeRow('a')], {
    replicas: [
      { node: 'a', hops: 0, upstream: 'x', epoch: 4096 },
      { node: 'b', hops: 1, upstream: 'a', epoch: 4096 },
    ],
    stale: [{ node: 'b', why: 'no-link' }],
    backup: { node: 'e' },
    alarms: [alarmRow()],
  });
  const text = streamText(answer);
  expect(text).toContain('\nb     not heard of, pulls from a\n');
  expect(text.match(/not heard of/g)).toHaveLength(1);
  expect(text).toContain('\nBackup publisher at e\n');
  expect(text).toContain('\nhop-slow  live/show  a -> b    2 m   lasts  frames take 640 ms from a to b\n');
  expect(text).toMatch(/\n\nmissing here: what b knows \(no link to it\)\n$/);
});

test('a stream without an origin says so', () => {
  const answer = treeAnswer([treeRow('b', { role: 'replica', state: 'held' })], { origin: null });
  expect(streamText(answer)).toMatch(/^live\/show {2}no origin; 0 players at 1 node\n/);
  expect(streamText(treeAnswer([], { origin: { ...ORIGIN, since: null } }))).toMatch(
    /^live\/show {2}live, origin a, epoch 4096; 0 players at 0 nodes\n/,
  );
});

test('a codec name can not command the terminal', () => {
  const quality = {
    ...QUALITY,
    audio: { codec: '\u001b[2J', sampleRate: null, channels: null, bitsPerS: 0 },
  };
  expect(streamText(treeAnswer([treeRow('a', { quality })]))).not.toContain('\u001b');
});
