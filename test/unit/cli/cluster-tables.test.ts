import { expect, test } from 'vitest';
import { nodesText, streamsText } from '../../../src/cli/cluster-tables.ts';
import type { ReplicaRow, StreamRow } from '../../../src/http/forms/streams.ts';
import { LOAD, nodeRow, ORIGIN, streamRow, streamsAnswer } from '../../support/state-answers.ts';

function replica(node: string, upstream: string, hops: number): ReplicaRow {
  return { node, upstream, hops, epoch: 4096 };
}

function shown(...streams: StreamRow[]): string[] {
  return streamsText(streamsAnswer(streams)).trimEnd().split('\n');
}

test('nodes are shown with their place, state, link, load, alarms and addresses', () => {
  const link = {
    ...{ rttMs: 0.42, rttDevMs: 0.1, offsetMs: 5 },
    ...{ lossShare: 0, receivedBytesPerS: 1, sentBytesPerS: 2 },
    dialledBy: 'a',
  };
  const busy = {
    ...{ cpu: 0.123, memory: 0.5, loopBusy: 0.456, sentBytesPerS: 156_250_000 },
    ...{ players: 40, streams: 2, alarms: 3 },
  };
  const nodes = [
    nodeRow('a', { leaseMs: null, self: true, load: { ...LOAD, ...busy } }),
    nodeRow('bb', { link, mesh: ['10.0.0.2:7935', 'x:1'], http: '10.0.0.2:8080', region: 'eu', zone: '1' }),
    nodeRow('c', {
      draining: true,
      load: { ...LOAD, sentBytesPerS: 43_000 },
      link: { ...link, rttMs: null },
      zone: '2',
    }),
    nodeRow('d', { leaseMs: 0 }),
  ];
  expect(nodesText({ nodes }).trimEnd().split('\n')).toEqual([
    'NODE  REGION  STATE     LINK       STREAMS  PLAYERS  ALARMS   CPU   MEM  LOOP          OUT  MESH           HTTP           VERSION',
    'a     -       up        this node        2       40       3  12 %  50 %  46 %  1250 Mbit/s  -              -              1.2.3',
    'bb    eu/1    up        0.4 ms           0        0       0   0 %   0 %   0 %   0.0 Mbit/s  10.0.0.2:7935  10.0.0.2:8080  1.2.3',
    'c     2       draining  linked           0        0       0   0 %   0 %   0 %   0.3 Mbit/s  -              -              1.2.3',
    'd     -       silent    -                0        0       0   0 %   0 %   0 %   0.0 Mbit/s  -              -              1.2.3',
  ]);
});

test('a stream is its origin with what it carries, and below it each replica under the node that it pulls from', () => {
  const lines = shown(
    streamRow({
      replicas: [replica('b', 'a', 1), replica('d', 'a', 1), replica('c', 'b', 2)],
      backup: { node: 'e' },
      ...{ players: 36, bitsPerS: 2_096_000, frameRate: 30, video: 'H.264', audio: 'AAC' },
    }),
    streamRow({ key: 'live/held', origin: { ...ORIGIN, state: 'held', reason: 'failover', since: null } }),
  );
  expect(lines).toEqual([
    'STREAM     NODE   ROLE               STATE  SINCE  HOPS  PLAYERS     BITRATE   FPS  CODECS',
    'live/show  a      origin             live     2 m     0       36  2.1 Mbit/s  30.0  H.264 + AAC',
    '           ├ b    replica                             1',
    '           │ └ c  replica                             2',
    '           └ d    replica                             1',
    '           e      backup',
    'live/held  a      origin (failover)  held             0        0           -     -  -',
  ]);
});

test('a replica that the registry does not list is shown if it is the one that answers', () => {
  const here = { role: 'replica', state: 'held', epoch: 4096, hops: null, upstream: null } as const;
  const rest = { path: [], players: 1, children: 0, standby: null };
  const lines = shown(streamRow({ origin: null, here: { ...here, ...rest } }));
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/^live\/show {2}- +no origin +0 +- +- +-$/),
    expect.stringMatching(/^ +a +replica +held$/),
  ]);
});

test('without streams it says so, and whose streams may be missing', () => {
  expect(shown()).toEqual(['no streams']);
  expect(streamsText(streamsAnswer([], { stale: [{ node: 'c', why: 'no-answer' }] }))).toBe(
    'no streams\n\nmissing here: what c knows (no answer within 500 ms)\n',
  );
});
