// What publishers and players ask for over HTTP: which stream, and who asks.
import type { Socket } from 'node:net';
import { TidewayError } from '../base/errors.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';

const STREAM_PATH = /^\/([^/]+)\/([^/]+)\.flv$/;

/** Is it `/app/name.flv`? */
export function isStreamPath(path: string): boolean {
  return STREAM_PATH.test(path);
}

/**
 * The stream of `/app/name.flv`.
 * @throws TidewayError `stream-key.*`
 */
export function streamKeyOf(url: URL): StreamKey {
  const [, app = '', name = ''] = STREAM_PATH.exec(url.pathname) ?? [];
  return parseStreamKey(app, name);
}

/** Runs a wait whose signal is aborted when the socket closes meanwhile. */
export async function whileOpen<T>(socket: Socket, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const left = new AbortController();
  const abort = () => left.abort();
  socket.once('close', abort);
  if (socket.destroyed) abort();
  try {
    return await wait(left.signal);
  } finally {
    socket.off('close', abort);
  }
}

/** The stream is not here and is not waited for. */
export function notLive(key: StreamKey): TidewayError {
  return new TidewayError('play.not-found', `no stream ${key} is live here`, { stream: key });
}
