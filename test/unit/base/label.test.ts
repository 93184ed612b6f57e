import { expect, test } from 'vitest';
import { isLabel } from '../../../src/base/label.ts';

test.each(['eu', 'eu-west_1.a+b', 'x'.repeat(64)])('%s is a label', (text) => {
  expect(isLabel(text)).toBe(true);
});

test.each(['', 'eu west', 'eu/1', 'é', 'eu\n', '*', 'x'.repeat(65)])('%j is none', (text) => {
  expect(isLabel(text)).toBe(false);
});
