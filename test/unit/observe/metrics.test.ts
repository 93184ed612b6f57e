import { describe, expect, test } from 'vitest';
import { CodeCounter, counter, gauge, metricsText } from '../../../src/observe/metrics.ts';

describe('metrics', () => {
  test('are written as the text format of Prometheus, family by family', () => {
    const text = metricsText([
      { name: 'tideway_streams', type: 'gauge', help: 'Streams on this node.', samples: [{ value: 3 }] },
      {
        name: 'tideway_closed_total',
        type: 'counter',
        help: 'Players closed, by code.',
        samples: [
          { value: 2, labels: { code: 'player.stalled', format: 'rtmp' } },
          { value: 0.5, labels: {} },
        ],
      },
      { name: 'tideway_none', type: 'gauge', help: 'Nothing yet.', samples: [] },
    ]);
    expect(text).toBe(
      [
        '# HELP tideway_streams Streams on this node.',
        '# TYPE tideway_streams gauge',
        'tideway_streams 3',
        '# HELP tideway_closed_total Players closed, by code.',
        '# TYPE tideway_closed_total counter',
        'tideway_closed_total{code="player.stalled",format="rtmp"} 2',
        'tideway_closed_total 0.5',
        '# HELP tideway_none Nothing yet.',
        '# TYPE tideway_none gauge',
        '',
      ].join('\n'),
    );
    expect(metricsText([])).toBe('');
  });

  test('escape what a label may not hold', () => {
    const text = metricsText([
      {
        name: 'a',
        type: 'gauge',
        help: 'b',
        samples: [{ value: 1, labels: { key: 'back\\slash "quote"\nline' } }],
      },
    ]);
    expect(text.split('\n')[2]).toBe('a{key="back\\\\slash \\"quote\\"\\nline"} 1');
  });
});

test('a family is made of one value, or of samples', () => {
  const samples = [{ value: 1, labels: { door: 'rtmp' } }];
  expect(gauge('a', 'A.', 3)).toEqual({ name: 'a', type: 'gauge', help: 'A.', samples: [{ value: 3 }] });
  expect(counter('b', 'B.', samples)).toEqual({ name: 'b', type: 'counter', help: 'B.', samples });
});

describe('a code counter', () => {
  test('counts each code', () => {
    const counter = new CodeCounter();
    expect(counter.samples()).toEqual([]);
    for (const code of ['a', 'b', 'a']) counter.count(code);
    expect(counter.samples()).toEqual([
      { value: 2, labels: { code: 'a' } },
      { value: 1, labels: { code: 'b' } },
    ]);
  });

  test('may name its label', () => {
    const counter = new CodeCounter('cause');
    counter.count('closed');
    expect(counter.samples()).toEqual([{ value: 1, labels: { cause: 'closed' } }]);
  });

  test('counts the codes beyond 100 together, and the first 100 on their own still', () => {
    const counter = new CodeCounter();
    for (let code = 0; code < 250; code += 1) counter.count(`code-${code}`);
    counter.count('code-7');
    const samples = counter.samples();
    expect(samples).toHaveLength(101);
    expect(samples[7]).toEqual({ value: 2, labels: { code: 'code-7' } });
    expect(samples.at(-1)).toEqual({ value: 150, labels: { code: 'other' } });
  });
});
