// What queries of the JSON API say: each parameter once, each value one that is allowed, and none that the route does not
// know. Pure.
import { z } from 'zod';
import { TidewayError } from '../base/errors.ts';
import { parseStreamKey } from '../base/stream-key.ts';
import { allowedWords, issueWords } from './issue-words.ts';

/** A parameter that is wrong is refused by this code on every route; others by `api.query`. */
const CODES: Readonly<Record<string, string>> = {
  limit: 'api.limit',
  network: 'route.network',
  protocol: 'route.protocol',
  region: 'route.place',
  session: 'route.session',
  stream: 'route.stream',
  zone: 'route.place',
};
/** Of zod's issues, those that are ours. */
const OWN_ISSUE = 'custom';
const WHOLE_NUMBER = /^\d{1,9}$/;
/** Of a name that nobody knows, so much is repeated. */
const MAX_NAME_CHARS = 64;

/** A whole number. */
export function wholeNumber(least: number, most: number) {
  const what = `is a whole number from ${least} to ${most}`;
  return z
    .string()
    .refine((text) => WHOLE_NUMBER.test(text) && Number(text) >= least && Number(text) <= most, what)
    .transform(Number)
    .meta({ type: 'integer', minimum: least, maximum: most });
}

/** `limit=`: of the rows that match, so many are answered. */
export function limitOf({ usual, most }: { readonly usual: number; readonly most: number }) {
  return wholeNumber(1, most).default(usual);
}

/** `stream=app/name`. */
export const streamParameter = z
  .string('names a stream: stream=app/name')
  .transform((text, context) => {
    const [app = '', name, ...more] = text.split('/');
    if (name === undefined || more.length > 0) {
      context.addIssue('is the key of one stream: stream=app/name');
      return z.NEVER;
    }
    try {
      return parseStreamKey(app, name);
    } catch (error) {
      if (!(error instanceof TidewayError)) throw error;
      context.addIssue({ code: OWN_ISSUE, message: error.message, params: { code: error.code } });
      return z.NEVER;
    }
  })
  .meta({ description: 'Key of a stream: app/name.', examples: ['live/demo'] });

/**
 * Reads a query by its form.
 * @throws TidewayError `route.repeated`: a parameter is there with two values, and nobody knows which one is meant;
 * `api.query` or a code of the parameter's own: it is not known, or not allowed
 */
export function readQuery<F extends z.ZodObject>(query: URLSearchParams, form: F): z.output<F> {
  const read = form.safeParse(valuesOf(query), { error: allowedWords, reportInput: true });
  if (read.success) return read.data;
  // A name that is wrong may be why another one is missing.
  const { issues } = read.error;
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  throw refusalOf(issue, Object.keys(form.shape));
}

/** @throws TidewayError `route.repeated` */
function valuesOf(query: URLSearchParams): Record<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of query) {
    const before = values.get(name);
    if (before !== undefined && before !== value) {
      const message = `${nameText(name)} is given more than once, with different values`;
      throw new TidewayError('route.repeated', message);
    }
    values.set(name, value);
  }
  return Object.fromEntries(values);
}

function refusalOf(issue: z.core.$ZodIssue | undefined, known: readonly string[]): TidewayError {
  if (issue?.code === 'unrecognized_keys') {
    const [name = ''] = issue.keys;
    const all = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`;
    return new TidewayError('api.query', `this path has no parameter ${nameText(name)}: ${all}`);
  }
  const name = String(issue?.path[0] ?? '');
  const own: unknown = issue?.code === OWN_ISSUE ? issue.params?.code : undefined;
  // Such a message is whole, and does not repeat what was refused.
  if (typeof own === 'string') return new TidewayError(own, `${name} ${issue?.message}`);
  return new TidewayError(CODES[name] ?? 'api.query', `${name} ${issue && issueWords(issue)}`.trim());
}

function nameText(name: string): string {
  return JSON.stringify(name.slice(0, MAX_NAME_CHARS));
}
