import { expect, test } from 'vitest';
import { z } from 'zod';
import { operations } from '../../../src/http/api-operations.ts';
import { readQuery } from '../../../src/http/api-query.ts';
import { allowedWords, issueWords } from '../../../src/http/issue-words.ts';

function wordsOf(form: z.ZodType, value: unknown): string[] {
  const read = form.safeParse(value, { error: allowedWords, reportInput: true });
  return read.error?.issues.map(issueWords) ?? [];
}

test.each<[z.ZodType, unknown, string]>([
  [z.string(), 7, 'is text, not 7'],
  [z.string(), undefined, 'is missing'],
  [z.number(), 'x', 'is a number, not "x"'],
  [z.number(), Number.NaN, 'is a number, not one that is too large'],
  [z.int(), 0.5, 'is a whole number, not 0.5'],
  [z.boolean(), null, 'is true or false, not null'],
  [z.array(z.string()), {}, 'is a list, not an object'],
  [z.strictObject({}), [], 'is an object, not a list'],
  [z.enum(['a']), 'b', 'is a, not "b"'],
  [z.enum(['a', 'b', 'c']), 'd', 'is a, b or c, not "d"'],
  [z.enum(['a', 'b']), undefined, 'is missing'],
  [z.number().max(5), 6, 'is at most 5, not 6'],
  [z.number().gt(5), 5, 'is more than 5, not 5'],
  [z.number().lt(5), 5, 'is less than 5, not 5'],
  [z.string().min(3), 'ab', 'has at least 3 characters, not "ab"'],
  [z.array(z.int()).max(1), [1, 2], 'has at most 1 entry, not a list'],
  [z.number().multipleOf(2), 3, 'is a multiple of 2, not 3'],
  [z.union([z.string(), z.number()]), true, 'is of another form, not true'],
  [z.string().regex(/^a/, 'begins with a'), 'b', 'begins with a, not "b"'],
  [z.string().regex(/^a/), 'http://x/?key=hush', 'is of another form'],
])(
  '%# what is wrong is told in plain words, with what is allowed and what was given',
  (form, value, words) => {
    expect(wordsOf(form, value)).toEqual([words]);
  },
);

test('no parameter of the API is refused in the words of zod', () => {
  const said: string[] = [];
  for (const [id, operation] of Object.entries(operations)) {
    if (!('query' in operation)) continue;
    const { query } = operation;
    for (const name of Object.keys(query.shape)) {
      for (const value of ['', '~', 'x'.repeat(300), '-1']) {
        try {
          readQuery(new URLSearchParams({ [name]: value }), query);
        } catch (error) {
          said.push(`${id}: ${(error as Error).message}`);
        }
      }
    }
  }
  expect(said.length).toBeGreaterThan(50);
  expect(said.filter((text) => /invalid|expected|received|too (big|small)|undefined/i.test(text))).toEqual(
    [],
  );
});
