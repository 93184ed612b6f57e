import { describe, expect, test } from 'vitest';
import { CodeCounter, counter, gauge } from '../../../src/observe/metrics.ts';

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
