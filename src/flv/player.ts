// HTTP-FLV out: GET /app/name.flv. After the response's head the socket leaves the HTTP parser and carries raw FLV,
// so that all players share one buffer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AdmitPlayer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { markSession, remoteOfRequest } from '../base/marked-request.ts';
import { redirectResponse, type SendOn } from '../base/redirect.ts';
import type { SessionOf } from '../base/session-id.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { httpFlv } from '../format/flv.ts';
import type { OpenStream } from '../media/stream-directory.ts';
import { isStreamPath, notLive, streamKeyOf, whileOpen } from './flv-request.ts';
import { SocketSink } from './socket-sink.ts';

export interface FlvPlayNeeds {
  readonly clock: Clock;
  readonly admit: AdmitPlayer;
  readonly openStream: OpenStream;
  readonly sendOn: SendOn;
  readonly sessionOf: SessionOf;
  /** Can the stream be played without waiting? */
  readonly isLive: (key: StreamKey) => boolean;
}

/** Ranges are not served: a live stream has no beginning to count from. */
const MEDIA_HEADERS = {
  'Content-Type': 'video/x-flv',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
  'Accept-Ranges': 'none',
  Connection: 'close',
} as const;

const SENT_BYTES: Reason = {
  code: 'player.sent-bytes',
  message: 'the player sent something behind its request: HTTP-FLV is the last answer on a connection',
};

/** The route that HTTP-FLV players come in by. */
export class FlvPlayRoute {
  readonly methods = ['GET', 'HEAD'];
  readonly matches = isStreamPath;
  readonly #needs: FlvPlayNeeds;

  constructor(needs: FlvPlayNeeds) {
    this.#needs = needs;
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const key = streamKeyOf(url);
    const { socket, headers } = request;
    const remote = remoteOfRequest(request);
    const session = this.#needs.sessionOf(url.searchParams);
    markSession(request, session);
    const asked = { key, query: url.searchParams, protocol: 'http-flv', remote } as const;
    socket.setTimeout(0);
    const { authorization } = headers;
    const { isByHeader } = await this.#needs.admit({ ...asked, session, authorization });
    if (socket.destroyed) return;
    // Who is sent on comes without the header that let it in.
    const elsewhere = isByHeader ? undefined : this.#needs.sendOn({ ...asked, session, headers });
    if (elsewhere !== undefined) {
      redirectResponse(response, elsewhere);
      return;
    }
    if (request.method === 'HEAD') {
      // Health checks and proxies ask with HEAD: it never waits, and never makes this node pull a stream.
      if (!this.#needs.isLive(key)) throw notLive(key);
      response.writeHead(200, MEDIA_HEADERS).end();
      return;
    }
    const stream = await whileOpen(socket, (signal) => this.#needs.openStream({ ...asked, signal }));
    if (socket.destroyed) return;
    writeHead(response);
    const sink = new SocketSink(socket, this.#needs.clock, () => socket.end());
    leaveParser(socket, sink);
    sink.attach(stream.play(httpFlv, sink, { remote, session }));
  }
}

/** Without a length and without chunks, for HTTP/1.0 and 1.1 alike, the body is what comes until the close. */
function writeHead(response: ServerResponse): void {
  response.removeHeader('Transfer-Encoding');
  response.writeHead(200, MEDIA_HEADERS);
  response.flushHeaders();
}

/**
 * From here on, the socket's bytes don't go to the HTTP parser: any is one too many, and a FIN is a goodbye, though
 * sockets of the HTTP server may be half open. The response stays unfinished, so that Node leaves the socket alone.
 */
function leaveParser(socket: Socket, sink: SocketSink): void {
  socket.removeAllListeners('data');
  socket.on('data', () => sink.destroy(SENT_BYTES));
  socket.on('end', () => socket.destroy());
  socket.resume();
}
