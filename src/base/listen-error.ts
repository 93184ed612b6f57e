// Why a door could not listen, as one clear error.
import { TidewayError } from './errors.ts';

/**
 * @param key the configuration key of the port, for the advice
 * @returns TidewayError `listen.busy` or `listen.failed`
 */
export function listenError(
  cause: NodeJS.ErrnoException,
  at: { readonly host: string; readonly port: number; readonly key: string },
): TidewayError {
  const { host, port, key } = at;
  const where = `cannot listen on ${host}:${port}`;
  if (cause.code === 'EADDRINUSE') {
    const message = `${where}: the port is in use; choose another with ${key}`;
    return new TidewayError('listen.busy', message, { port }, { cause });
  }
  return new TidewayError(
    'listen.failed',
    `${where}: ${cause.message}; see host and ${key}`,
    { port },
    { cause },
  );
}
