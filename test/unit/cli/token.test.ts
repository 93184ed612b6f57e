import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { hashText, newTokenText } from '../../../src/cli/token.ts';

async function* piped(...parts: string[]) {
  yield* parts;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('a new token comes with its hash, and is another each time', () => {
  const [, token = '', hash] =
    /^token {3}([\w-]{43})\nsha256 {2}([0-9a-f]{64})\n$/.exec(newTokenText()) ?? [];
  expect(hash).toBe(sha256(token));
  expect(newTokenText()).not.toContain(token);
});

test('a token that is piped in is hashed, without the end of its line', async () => {
  const token = 'correct-horse-battery';
  const hash = `${sha256(token)}\n`;
  expect(await hashText(piped(token))).toBe(hash);
  expect(await hashText(piped('correct-horse', '-battery\n'))).toBe(hash);
  expect(await hashText(piped(Buffer.from(`${token}\r\n`).toString()))).toBe(hash);
});

test.each(['', 'short', 'two words of one token', 'two-lines-of-it\nand-another', 'x'.repeat(1_025)])(
  'what is no token is not hashed, nor repeated: "%s"',
  async (text) => {
    const refused = hashText(piped(text));
    await expect(refused).rejects.toMatchObject({ code: 'cli.usage' });
    await expect(refused).rejects.not.toThrow(text === '' ? 'never' : text);
  },
);
