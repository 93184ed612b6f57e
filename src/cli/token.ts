// `tideway token` and `tideway hash-token`: tokens of the API, and the hashes that nodes keep of them. Neither asks a node.
import { createHash, randomBytes } from 'node:crypto';
import { TidewayError } from '../base/errors.ts';

const TOKEN_BYTES = 32;
/** Shorter ones are guessed. */
const MIN_CHARS = 16;
const MAX_CHARS = 1_024;

/** A token that nobody guesses, and below it what nodes are told of it. */
export function newTokenText(): string {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  return `token   ${token}\nsha256  ${sha256Of(token)}\n`;
}

/**
 * The hash of a token that is piped in; the end of its line is not of it.
 * @throws TidewayError `cli.usage`
 */
export async function hashText(input: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const part of input) {
    text += String(part);
    if (text.length > MAX_CHARS) break;
  }
  const token = text.replace(/\r?\n$/, '');
  if (!/^[!-~]+$/.test(token) || token.length < MIN_CHARS || token.length > MAX_CHARS) {
    const message = `hash-token reads one token of ${MIN_CHARS} to ${MAX_CHARS} characters without spaces: printf %s "$TOKEN" | tideway hash-token`;
    throw new TidewayError('cli.usage', message);
  }
  return `${sha256Of(token)}\n`;
}

function sha256Of(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
