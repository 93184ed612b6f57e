// The small text files of /proc and /sys: what can't be read, or is no number, is undefined, and nothing throws.
import { readFileSync } from 'node:fs';

/** Undefined: it isn't there, or isn't for this process. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** A whole number from 0; undefined for `max`, `-1` and all else. */
export function wholeNumber(text: string | undefined): number | undefined {
  const digits = text?.trim() ?? '';
  return /^\d{1,20}$/.test(digits) ? Number(digits) : undefined;
}

/** The number behind a name at the start of a line, `inactive_file 4096` or `MemTotal:  8 kB`. */
export function numberOf(name: string, text: string | undefined): number | undefined {
  const line = text
    ?.split('\n')
    .find((each) => each.startsWith(name) && /[\s:]/.test(each[name.length] ?? ''));
  return wholeNumber(line?.slice(name.length).split(/[\s:]+/)[1]);
}
