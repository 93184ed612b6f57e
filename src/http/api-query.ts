// What queries of the JSON API say: each parameter once, each value one that is allowed. Pure.
import { TidewayError } from '../base/errors.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';

/**
 * The value of a parameter; undefined: it is not there.
 * @throws TidewayError `route.repeated`: it is there with two values, and nobody knows which one is meant
 */
export function valueIn(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = new Set(query.getAll(name));
  if (others.length === 0) return value;
  throw new TidewayError('route.repeated', `${name} is given more than once, with different values`);
}

/**
 * `limit=`.
 * @throws TidewayError `api.limit`
 */
export function limitIn(
  query: URLSearchParams,
  { usual, most }: { readonly usual: number; readonly most: number },
): number {
  const given = query.get('limit');
  if (given === null) return usual;
  const limit = /^\d{1,5}$/.test(given) ? Number(given) : 0;
  if (limit >= 1 && limit <= most) return limit;
  throw new TidewayError('api.limit', `limit is a whole number from 1 to ${most}`);
}

/**
 * `stream=app/name`; undefined: it is not there.
 * @throws TidewayError `route.stream`, `route.repeated`, `stream-key.*`
 */
export function streamIn(query: URLSearchParams): StreamKey | undefined {
  const given = valueIn(query, 'stream');
  if (given === undefined) return undefined;
  const [app = '', name, ...more] = given.split('/');
  if (name !== undefined && more.length === 0) return parseStreamKey(app, name);
  throw new TidewayError('route.stream', 'stream is the key of one stream: stream=app/name');
}
