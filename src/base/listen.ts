// How a door listens, and why it could not, as one clear error.
import type { Server } from 'node:net';
import { TidewayError } from './errors.ts';

/** A join storm must find room before the event loop gets to accept it; Node's own default is 511. */
const BACKLOG = 4096;

/** Where a door listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** The configuration key of the port, for the advice. */
  readonly key: string;
}

/**
 * Listens.
 * @param failedLater told of errors that come once it listens, such as a connection that could not be accepted
 * @throws TidewayError `listen.busy`, `listen.failed`
 */
export function listen(
  server: Server,
  at: ListenAddress,
  failedLater: (error: Error) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => reject(listenError(cause, at));
    server.once('error', failed);
    server.listen({ host: at.host, port: at.port, backlog: BACKLOG }, () => {
      server.off('error', failed);
      server.on('error', failedLater);
      resolve();
    });
  });
}

/** The port that a server listens on; 0 while it does not. */
export function listeningPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

function listenError(cause: NodeJS.ErrnoException, { host, port, key }: ListenAddress): TidewayError {
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
