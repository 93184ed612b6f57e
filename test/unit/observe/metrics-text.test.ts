import { Histogram, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { counter, gauge } from '../../../src/observe/metrics.ts';
import { MetricsText } from '../../../src/observe/metrics-text.ts';

const write = (...families: Parameters<MetricsText['write']>[0]) =>
  new MetricsText(systemClock).write(families);

describe('metrics', () => {
  test('are written as the text format of Prometheus, family by family', async () => {
    const text = await write(
      gauge('tideway_streams', 'Streams on this node.', 3),
      counter('tideway_closed_total', 'Players closed, by code.', [
        { value: 2, labels: { code: 'player.stalled', format: 'rtmp' } },
        { value: 0.5, labels: { format: 'flv' } },
      ]),
    );
    expect(text).toBe(
      [
        '# HELP tideway_streams Streams on this node.',
        '# TYPE tideway_streams gauge',
        'tideway_streams 3',
        '# HELP tideway_closed_total Players closed, by code.',
        '# TYPE tideway_closed_total counter',
        'tideway_closed_total{code="player.stalled",format="rtmp"} 2',
        'tideway_closed_total{format="flv"} 0.5',
        '',
      ].join('\n'),
    );
    expect(await write()).toBe('');
  });

  test('of which there are none yet are named, without a sample', async () => {
    const text = await write(counter('a_total', 'A.', []), gauge('b', 'B.', []));
    expect(text).toBe('# HELP a_total A.\n# TYPE a_total counter\n# HELP b B.\n# TYPE b gauge\n');
  });

  test('escape what a label may not hold', async () => {
    const text = await write(gauge('a', 'b', [{ value: 1, labels: { key: 'back\\slash "quote"\nline' } }]));
    expect(text.split('\n')[2]).toBe('a{key="back\\\\slash \\"quote\\"\\nline"} 1');
  });

  test.each([
    ['a name', gauge('a-b', 'A.', 1)],
    ['a label', gauge('a', 'A.', [{ value: 1, labels: { 'b-c': 'd' } }])],
  ])('are not written with %s that Prometheus does not take', async (_, family) => {
    await expect(write(family)).rejects.toThrow();
  });

  test('are not written with a family that comes twice', async () => {
    await expect(write(gauge('a', 'A.', 1), gauge('a', 'A.', 2))).rejects.toThrow(/already been registered/);
  });

  test('that histograms count come behind', async () => {
    const registry = new Registry();
    const histogram = new Histogram({ name: 'h_seconds', help: 'H.', buckets: [1], registers: [registry] });
    histogram.observe(0.5);
    const text = await new MetricsText(systemClock).write([gauge('a', 'A.', 1)], registry);
    expect(text.split('\n').slice(2)).toEqual([
      'a 1',
      '# HELP h_seconds H.',
      '# TYPE h_seconds histogram',
      'h_seconds_bucket{le="1"} 1',
      'h_seconds_bucket{le="+Inf"} 1',
      'h_seconds_sum 0.5',
      'h_seconds_count 1',
      '',
    ]);
  });
});

test('a counter never says less than it did; a gauge may, and a counter that was gone begins anew', async () => {
  const text = new MetricsText(systemClock);
  const values = async (bytes: number, players: number, stream?: number) => {
    const streams = stream === undefined ? [] : [{ value: stream, labels: { stream: 'live/a' } }];
    const written = await text.write([
      counter('bytes_total', 'B.', bytes),
      gauge('players', 'P.', players),
      counter('frames_total', 'F.', streams),
    ]);
    return written.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  };
  expect(await values(10, 3, 7)).toEqual(['bytes_total 10', 'players 3', 'frames_total{stream="live/a"} 7']);
  expect(await values(8, 2, 6)).toEqual(['bytes_total 10', 'players 2', 'frames_total{stream="live/a"} 7']);
  expect(await values(9, 1)).toEqual(['bytes_total 10', 'players 1']);
  expect(await values(11, 1, 2)).toEqual(['bytes_total 11', 'players 1', 'frames_total{stream="live/a"} 2']);
});

test('a long text lets others have their turn between two families', async () => {
  const samples = Array.from({ length: 5_000 }, (_, value) => ({
    value,
    labels: { stream: `live/${value}` },
  }));
  const families = Array.from({ length: 12 }, (_, at) => gauge(`family_${at}`, 'F.', samples));
  let turns = 0;
  let next = setImmediate(function turn() {
    turns += 1;
    next = setImmediate(turn);
  });
  await write(...families);
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(6);
});
