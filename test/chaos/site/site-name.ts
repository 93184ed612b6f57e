// Names of what a site makes outside of this process: they tell whose it is, so that what a dead run left is found.
import { existsSync } from 'node:fs';

/** Names of links have at most 15 characters: a site's, and one more for a node. */
const NAME = /^twc(\d+)-\d+[a-z]?$/;
let made = 0;

export function siteName(): string {
  made = (made + 1) % 100;
  return `twc${process.pid}-${made}`;
}

/** It was made by a process that is gone. */
export function isLeftOf(name: string): boolean {
  const [, pid] = NAME.exec(name) ?? [];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}
