// The name of a stream: `app/name`. Parsing is the only way to get a StreamKey, so one in hand is always valid.
import { TidewayError } from './errors.ts';

declare const brand: unique symbol;

/** `app/name`, checked. */
export type StreamKey = string & { readonly [brand]: 'StreamKey' };

/** Apps that are taken by the HTTP server's own paths. */
export const RESERVED_APPS: ReadonlySet<string> = new Set([
  'api',
  'route',
  'watch',
  'assets',
  'metrics',
  'healthz',
  'readyz',
]);

const PART = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,64}$/;
const ALLOWED =
  '1 to 64 of A-Z a-z 0-9 _ . - each, not starting with a dot, without "..", the name not ending in .flv';

/**
 * Makes a key of an app and a name.
 * @throws TidewayError `stream-key.invalid` or `stream-key.reserved`; the message never repeats what was refused.
 */
export function parseStreamKey(app: string, name: string): StreamKey {
  if (!PART.test(app) || !PART.test(name) || name.toLowerCase().endsWith('.flv')) {
    throw new TidewayError('stream-key.invalid', `a stream key is app/name: ${ALLOWED}`);
  }
  if (RESERVED_APPS.has(app)) {
    throw new TidewayError(
      'stream-key.reserved',
      `the app "${app}" is taken by the node itself: use another`,
      {
        app,
      },
    );
  }
  return `${app}/${name}` as StreamKey;
}
