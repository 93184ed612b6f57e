// WS-FLV out: GET /app/name.flv with an upgrade. The ws package shakes hands, answers pings and closes; media goes to
// the socket beside it, as pre-framed messages that all players share.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { AdmitPlayer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { markSession, remoteOfRequest } from '../base/marked-request.ts';
import { redirectSocket, type SendOn } from '../base/redirect.ts';
import type { SessionOf } from '../base/session-id.ts';
import { wsFlv } from '../format/ws-frame.ts';
import type { PlayerIdentity } from '../media/player.ts';
import type { Stream } from '../media/stream.ts';
import type { OpenStream } from '../media/stream-directory.ts';
import { isStreamPath, streamKeyOf, whileOpen } from './flv-request.ts';
import { SocketSink } from './socket-sink.ts';

export interface WsFlvPlayNeeds {
  readonly clock: Clock;
  readonly admit: AdmitPlayer;
  readonly openStream: OpenStream;
  readonly sendOn: SendOn;
  readonly sessionOf: SessionOf;
}

/** Players have nothing to say; a message that is bigger closes the socket with 1009. */
const MAX_MESSAGE_BYTES = 4 * 1024;
/** Messages, pings and pongs that a player may send within `TALK_MS`. */
const MAX_TALK = 100;
const TALK_MS = 10_000;
const CLOSE_MS = 3000;
/** Close codes of RFC 6455 §7.4.1. */
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
/** A control frame holds 125 bytes, two of them the code (§5.5). */
const MAX_REASON_BYTES = 123;

/** Apart from its use, as @types/ws 8.18 doesn't know closeTimeout yet. */
const HANDSHAKE_OPTIONS = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  clientTracking: false,
  closeTimeout: CLOSE_MS,
} as const;

const TALKS_TOO_MUCH: Reason = {
  code: 'player.talks-too-much',
  message: `the player sent over ${MAX_TALK} messages within ${TALK_MS} ms`,
};

/** The route that WS-FLV players come in by. */
export class WsFlvPlayRoute {
  readonly matches = isStreamPath;
  readonly #needs: WsFlvPlayNeeds;
  readonly #handshakes = new WebSocketServer(HANDSHAKE_OPTIONS);

  constructor(needs: WsFlvPlayNeeds) {
    this.#needs = needs;
  }

  /** A stream that can't be played is refused before the handshake, so that the player sees an HTTP status. */
  async upgrade(request: IncomingMessage, socket: Socket, head: Buffer, url: URL): Promise<void> {
    const key = streamKeyOf(url);
    const remote = remoteOfRequest(request);
    const session = this.#needs.sessionOf(url.searchParams);
    markSession(request, session);
    const asked = { key, query: url.searchParams, protocol: 'ws-flv', remote } as const;
    const { headers } = request;
    socket.setTimeout(0);
    const { authorization } = headers;
    const { isByHeader } = await this.#needs.admit({ ...asked, session, authorization });
    if (socket.destroyed) return;
    // Who is sent on comes without the header that let it in.
    const elsewhere = isByHeader ? undefined : this.#needs.sendOn({ ...asked, session, headers });
    if (elsewhere !== undefined) {
      redirectSocket(socket, elsewhere);
      return;
    }
    const stream = await whileOpen(socket, (signal) => this.#needs.openStream({ ...asked, signal }));
    if (socket.destroyed) return;
    this.#handshakes.handleUpgrade(request, socket, head, (webSocket) => {
      play(stream, { webSocket, socket, identity: { remote, session } }, this.#needs.clock);
    });
  }
}

interface Connection {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly identity: PlayerIdentity;
}

function play(stream: Stream, { webSocket, socket, identity }: Connection, clock: Clock): void {
  const sink = new SocketSink(socket, clock, (why) => webSocket.close(GOING_AWAY, closeReason(why)));
  const player = stream.play(wsFlv, sink, identity);
  // A broken frame ends this one socket: ws answers with the close code, and closes within CLOSE_MS.
  webSocket.on('error', (error) => {
    player.leave({ code: 'player.bad-frame', message: `the player broke RFC 6455: ${error.message}` });
  });
  boundTalk(webSocket, clock, () => {
    player.leave(TALKS_TOO_MUCH);
    webSocket.close(POLICY_VIOLATION, closeReason(TALKS_TOO_MUCH));
  });
  sink.attach(player);
}

/** Calls `tooMuch` each time a player says something beyond the bound; each ping costs a pong. */
function boundTalk(webSocket: WebSocket, clock: Clock, tooMuch: () => void): void {
  let sinceMs = clock.now();
  let count = 0;
  const heard = () => {
    const nowMs = clock.now();
    if (nowMs - sinceMs > TALK_MS) {
      sinceMs = nowMs;
      count = 0;
    }
    count += 1;
    if (count > MAX_TALK) tooMuch();
  };
  webSocket.on('message', heard);
  webSocket.on('ping', heard);
  webSocket.on('pong', heard);
}

function closeReason(why: Reason): Buffer {
  const text = Buffer.from(`${why.code}: ${why.message}`);
  if (text.length <= MAX_REASON_BYTES) return text;
  return Buffer.from(why.code).subarray(0, MAX_REASON_BYTES);
}
