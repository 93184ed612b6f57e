// What is wrong with a parameter or a field, in words that go on from its name: "is at most 50, not 51". Those of zod's that
// a form has none of its own for are put here. Pure.
import type { z } from 'zod';

/** Text that may be repeated: what else was given may hold what is secret, such as a whole URL, and refusals are logged. */
const PLAIN_TEXT = /^[A-Za-z0-9_.,+-]{0,32}$/;

const KINDS: Readonly<Record<string, string>> = {
  string: 'is text',
  number: 'is a number',
  int: 'is a whole number',
  boolean: 'is true or false',
  array: 'is a list',
  object: 'is an object',
  record: 'is an object',
  null: 'is null',
};

/** For `safeParse`, beside `reportInput`: what would be allowed. A form's own words go before these. */
export const allowedWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.input === undefined) return 'is missing';
  switch (issue.code) {
    case 'invalid_type':
      return KINDS[issue.expected] ?? 'is of another kind';
    case 'invalid_value':
      return `is ${listed(issue.values.map(String))}`;
    case 'too_small':
      return bounded(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return bounded(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'not_multiple_of':
      return `is a multiple of ${issue.divisor}`;
    default:
      return 'is of another form';
  }
};

/**
 * The words of one issue, with the value where it is plain.
 * @param issue of a `safeParse` with `allowedWords` and `reportInput`
 */
export function issueWords({ message, input }: z.core.$ZodIssue): string {
  if (input === undefined) return message;
  const given = valueText(input);
  return given === undefined ? message : `${message}, not ${given}`;
}

function bounded(origin: string, bound: string, limit: number | bigint): string {
  switch (origin) {
    case 'string':
      return `has ${bound} ${limit} ${Number(limit) === 1 ? 'character' : 'characters'}`;
    case 'array':
    case 'set':
    case 'map':
      return `has ${bound} ${limit} ${Number(limit) === 1 ? 'entry' : 'entries'}`;
    default:
      return `is ${bound} ${limit}`;
  }
}

/** `a`, `a or b`, `a, b or c`. */
function listed(values: readonly string[]): string {
  const last = values.at(-1) ?? '';
  return values.length < 2 ? last : `${values.slice(0, -1).join(', ')} or ${last}`;
}

function valueText(value: unknown): string | undefined {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'one that is too large';
  if (typeof value !== 'string') return String(value);
  return PLAIN_TEXT.test(value) ? JSON.stringify(value) : undefined;
}
