// One try to reach one address: a WebSocket of our subprotocol, open, or an error. Who answers there is the handshake's.
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { TidewayError } from '../base/errors.ts';
import { tlsErrorText } from '../base/tls-arrivals.ts';
import type { MeshTls } from './channel.ts';
import { SUBPROTOCOL } from './handshake.ts';
import type { Connection } from './link.ts';
import { WS_BOUNDS } from './ws-bounds.ts';

const MAX_HEADER_BYTES = 4 * 1024;

const CLIENT_OPTIONS = {
  ...WS_BOUNDS,
  followRedirects: false,
  maxHeaderSize: MAX_HEADER_BYTES,
  /** Masking with zeros costs nothing; between nodes that know each other it protects nothing, either. */
  generateMask: (mask: Buffer) => {
    mask.fill(0);
  },
} as const;

/** What becomes of a try: one of both is called, once, and not before `dial` has returned. */
export interface DialOutcome {
  /** Called while nothing that the peer says can have been missed. */
  connected(connection: Connection): void;
  /** `mesh.unreachable` */
  failed(error: TidewayError): void;
}

/**
 * @param address "host:port"
 * @param tls how nodes speak TLS; undefined: they don't
 * @param signal ends the try, until it is connected
 */
export function dial(
  { address, tls }: { readonly address: string; readonly tls: MeshTls | undefined },
  signal: AbortSignal,
  outcome: DialOutcome,
): void {
  const fail = (why: string) =>
    outcome.failed(new TidewayError('mesh.unreachable', `${address} can't be reached: ${why}`, { address }));
  let webSocket: WebSocket;
  try {
    webSocket = tls
      ? new WebSocket(`wss://${address}/`, SUBPROTOCOL, { ...CLIENT_OPTIONS, ...secured(tls) })
      : new WebSocket(`ws://${address}/`, SUBPROTOCOL, CLIENT_OPTIONS);
  } catch {
    // A port above 65,535, for one.
    queueMicrotask(() => fail('it is no address'));
    return;
  }
  let socket: Socket | undefined;
  const abort = () => webSocket.terminate();
  const error = (cause: Error) => {
    signal.removeEventListener('abort', abort);
    // Of a socket that is on its way out, more errors say nothing.
    webSocket.off('error', error);
    webSocket.on('error', () => {});
    fail(signal.aborted ? 'there was no answer in time' : tlsErrorText(cause));
  };
  signal.addEventListener('abort', abort, { once: true });
  webSocket.on('error', error);
  webSocket.once('upgrade', (response) => {
    socket = response.socket;
  });
  webSocket.once('open', () => {
    signal.removeEventListener('abort', abort);
    webSocket.off('error', error);
    // 'upgrade' comes before 'open'.
    if (socket) outcome.connected({ webSocket, socket, remote: address, isDialled: true });
  });
}

/** Nodes are dialled by addresses, which certificates need not name: the authority tells who is of the cluster. */
function secured({ certificate }: MeshTls) {
  return { ...certificate.options, rejectUnauthorized: true, checkServerIdentity: () => undefined };
}
