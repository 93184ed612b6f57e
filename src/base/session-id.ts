// Ids of sessions: what the log lines of one publisher or player have in common, on each node that it was at.
import { randomBytes } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const CHARS = 12;
const FORM = /^[a-z0-9]{12}$/;

/** The id of who comes with this query: the one that another node gave it, if it brings one, else a new one. */
export type SessionOf = (query: URLSearchParams) => string;

/** A new one, at random: two of them are never the same in practice. */
export function newSessionId(): string {
  let id = '';
  for (const byte of randomBytes(CHARS)) id += ALPHABET[byte % ALPHABET.length];
  return id;
}

/** Is it one that a node could have made? */
export function isSessionId(text: string): boolean {
  return FORM.test(text);
}
