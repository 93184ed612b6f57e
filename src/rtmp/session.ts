// One RTMP peer, from handshake to publishing or playing: its states, its commands, and how it is refused or ended.
import type { Socket } from 'node:net';
import type { AdmitPlayer } from '../auth/authorizer.ts';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError, WireError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { SendOn } from '../base/redirect.ts';
import type { SessionOf } from '../base/session-id.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Amf0Object, Amf0Value } from '../format/amf0.ts';
import { MEDIA_STREAM_ID } from '../format/rtmp/chunk-writer.ts';
import { type Command, MessageType, parseCommand, type RtmpMessage } from '../format/rtmp/message.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import { type OpenPublication, PUBLISHER_STOPPED } from '../media/publication.ts';
import type { OpenStream } from '../media/stream-directory.ts';
import { Unfinished } from '../media/unfinished.ts';
import { type ConnectionOwner, RtmpConnection } from './connection.ts';
import { RtmpPlayer } from './player.ts';
import { isMedia, RtmpPublisher } from './publisher.ts';
import { type Reconnects, reconnectRequest, reconnectsOf, tcUrlAt } from './reconnect.ts';
import {
  connected,
  courtesies,
  failure,
  playRedirected,
  playRefusal,
  playStarted,
  publishRefusal,
  publishStarted,
  unpublished,
} from './replies.ts';
import { type ConnectTarget, connectTarget, type StreamTarget, streamTarget } from './stream-name.ts';

/** Told of each "no", by its code. */
export interface RtmpCounters {
  refused(code: string): void;
  wireError(code: string): void;
}

export interface SessionNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly openPublication: OpenPublication;
  readonly admit: AdmitPlayer;
  readonly openStream: OpenStream;
  readonly sendOn: SendOn;
  readonly sessionOf: SessionOf;
  /** "host:port" or "rtmps://host:port" of another node for who publishes the stream; undefined: it is to come back to the address that it has. */
  readonly elsewhere?: (key: StreamKey) => string | undefined;
  readonly counters: RtmpCounters;
  readonly budget: Pick<MemoryBudget, 'charge' | 'isExhausted'>;
}

export interface SessionOptions {
  /** Time for the handshake, ms. */
  readonly handshakeMs: number;
  /** Time from the handshake, or from the end of a publish, to the next publish or play, ms. */
  readonly connectMs: number;
  /** A publisher that sends nothing for so long is closed, ms. */
  readonly publishIdleMs: number;
}

type SessionState =
  | { at: 'handshake' }
  | { at: 'handshaken' }
  | { at: 'connected'; target: ConnectTarget }
  | { at: 'opening'; target: ConnectTarget; gone: AbortController }
  | { at: 'publishing'; target: ConnectTarget; key: StreamKey; session: string; publisher: RtmpPublisher }
  | { at: 'playing'; target: ConnectTarget; player: RtmpPlayer }
  /** Told that it is over; its last words are on their way. */
  | { at: 'ending' }
  | { at: 'closed'; why: Reason };

/** A refused peer has this long to read why: within a second it is destroyed. */
const REFUSED_MS = 500;
/** A player that is over has this long to take what was written. */
const ENDING_MS = 5_000;

const HANDSHAKE_TIMEOUT: Reason = {
  code: 'rtmp.handshake-timeout',
  message: 'the handshake took too long',
};
const CONNECT_TIMEOUT: Reason = {
  code: 'rtmp.connect-timeout',
  message: 'the peer neither published nor played in time',
};
const SILENT: Reason = { code: 'publish.idle', message: 'the publisher sent nothing for too long' };
const ENDED: Reason = { code: 'rtmp.ended', message: 'the session was over' };
const PLAYER_STOPPED: Reason = { code: 'play.stopped', message: 'the player said that it is done' };

export class RtmpSession implements ConnectionOwner {
  readonly #options: SessionOptions;
  readonly #needs: SessionNeeds;
  readonly #connection: RtmpConnection;
  readonly #unfinished: Unfinished;
  #state: SessionState = { at: 'handshake' };
  /** When `check` closes a session that neither publishes nor plays, and why. */
  #deadline: { atMs: number; why: Reason };
  /** The id of what it publishes or plays, or asked to last. */
  #session: string | undefined;
  /** Can it be asked to connect again? */
  #reconnects: Reconnects = 'unasked';
  /** A publisher's bytes at the last check that found new ones, and when that was. */
  #heard = { bytes: 0, ms: 0 };

  constructor(socket: Socket, options: SessionOptions, needs: SessionNeeds) {
    this.#options = options;
    this.#needs = needs;
    this.#deadline = this.#in(options.handshakeMs, HANDSHAKE_TIMEOUT);
    this.#unfinished = new Unfinished(needs.budget);
    this.#connection = new RtmpConnection(socket, this);
  }

  get at(): SessionState['at'] {
    return this.#state.at;
  }

  get bytesIn(): number {
    return this.#connection.bytesIn;
  }

  get bytesOut(): number {
    return this.#connection.bytesOut;
  }

  /** Called a few times a second: closes what is overdue or holds too much, and lets the peer send on. */
  check(nowMs: number): void {
    if (this.#isClosed()) return;
    this.#connection.replenish(nowMs);
    const hog = this.#unfinished.hold(this.#connection.heldBytes);
    if (hog) {
      this.#connection.destroy(hog);
      return;
    }
    switch (this.#state.at) {
      case 'publishing':
        this.#checkSilence(nowMs);
        break;
      case 'opening':
      case 'playing':
      case 'closed':
        break; // The one who opens, and the stream, have their own limits.
      default:
        if (nowMs >= this.#deadline.atMs) this.#overdue(this.#deadline.why);
    }
  }

  /** The node ends it: cleanly where something is under way. Calm when repeated. */
  stop(why: Reason): void {
    const { at } = this.#state;
    if (at === 'publishing') this.#publicationEnded(why);
    else if (at === 'playing') {
      const { player } = this.#state;
      player.leave(why);
      player.end(why);
      // One that opens is told by whom it waits for.
    } else if (at !== 'ending' && at !== 'opening') this.#connection.destroy(why);
  }

  /** Asks a publisher to go on elsewhere, over a new connection. Was there one, and one that can be asked? */
  sendElsewhere(why: Reason): boolean {
    const state = this.#state;
    if (state.at !== 'publishing' || this.#reconnects === 'unasked') return false;
    const address = this.#reconnects === 'anywhere' ? this.#needs.elsewhere?.(state.key) : undefined;
    const tcUrl = address === undefined ? undefined : tcUrlAt(address, state.target, state.session);
    this.#connection.send(reconnectRequest(why, tcUrl));
    return true;
  }

  /** Closes it at once. Calm when repeated. */
  destroy(why: Reason): void {
    this.#connection.destroy(why);
  }

  // From the connection

  handshaken(): void {
    this.#state = { at: 'handshaken' };
    this.#deadline = this.#in(this.#options.connectMs, CONNECT_TIMEOUT);
  }

  message(message: RtmpMessage): void {
    if (isMedia(message.type)) this.#media(message);
    else if (message.type === MessageType.command || message.type === MessageType.amf3Command) {
      this.#command(message);
    }
  }

  drained(): void {
    if (this.#state.at === 'playing') this.#state.player.drained();
  }

  closed(why: Reason): void {
    const before = this.#state;
    this.#state = { at: 'closed', why };
    this.#unfinished.clear();
    if (before.at === 'opening') before.gone.abort();
    if (before.at === 'publishing') before.publisher.end(why);
    if (before.at === 'playing') before.player.leave(why);
    this.#reportClosed(why);
  }

  #reportClosed(why: Reason): void {
    const { log, counters } = this.#needs;
    const { remote } = this.#connection;
    if (why instanceof WireError) {
      counters.wireError(why.code);
      const said = { session: this.#session, remote, code: why.code, detail: why.message };
      log.info({ ...why.fields, ...said }, 'rtmp.wire-error');
    } else if (why instanceof TidewayError && why.code === 'rtmp.internal') {
      log.error({ session: this.#session, remote, err: why.cause }, 'rtmp.internal-error');
    }
  }

  // Media

  #media(message: RtmpMessage): void {
    if (this.#state.at !== 'publishing') {
      throw new WireError('rtmp.media-unexpected', `media came from a peer that is ${this.#state.at}`);
    }
    const { streamId } = message;
    // node-media-server 4.4.3 publishes on stream 1 and sends the media on 0; a session has one publication at most.
    if (streamId !== MEDIA_STREAM_ID && streamId !== 0) {
      throw new WireError('rtmp.media-stream', `media came on message stream ${streamId}`, { streamId });
    }
    this.#state.publisher.message(message);
  }

  #overdue(why: Reason): void {
    if (this.#state.at !== 'ending') this.#reportRefusal(why);
    this.#connection.destroy(why);
  }

  #checkSilence(nowMs: number): void {
    const bytes = this.#connection.bytesIn;
    if (bytes !== this.#heard.bytes) this.#heard = { bytes, ms: nowMs };
    else if (nowMs - this.#heard.ms >= this.#options.publishIdleMs) this.#connection.destroy(SILENT);
  }

  // Commands, RTMP 1.0 §7.2

  #command(message: RtmpMessage): void {
    const command = parseCommand(message);
    const { remote } = this.#connection;
    const said = { session: this.#session, remote, command: loggable(command.name) };
    this.#needs.log.debug(said, 'rtmp.command');
    if (command.name === 'connect') {
      this.#connect(command);
      return;
    }
    const target = this.#target();
    this.#connection.send(...courtesies(command));
    switch (command.name) {
      case 'publish':
      case 'play':
        this.#begin(command.name, command.args[1], message.streamId, target);
        break;
      case 'FCUnpublish':
      case 'closeStream':
      case 'deleteStream':
        this.#stopMedia(target);
    }
  }

  /** What `connect` was for; other commands come after it. */
  #target(): ConnectTarget {
    if ('target' in this.#state) return this.#state.target;
    throw new WireError('rtmp.command-order', 'a command other than connect came first');
  }

  #connect({ transactionId, args }: Command): void {
    if (this.#state.at !== 'handshaken') {
      throw new WireError('rtmp.command-order', 'connect came twice');
    }
    const commandObject = objectOf(args[0]);
    this.#state = { at: 'connected', target: connectTarget(commandObject) };
    this.#reconnects = reconnectsOf(commandObject);
    this.#connection.send(...connected(transactionId, commandObject));
  }

  /** Ends a publish or a play; the session may begin another one. */
  #stopMedia(target: ConnectTarget): void {
    const before = this.#state;
    if (before.at !== 'publishing' && before.at !== 'playing') return;
    this.#state = { at: 'connected', target };
    this.#deadline = this.#in(this.#options.connectMs, CONNECT_TIMEOUT);
    this.#connection.allowMedia(false);
    if (before.at === 'playing') {
      before.player.leave(PLAYER_STOPPED);
    } else {
      before.publisher.end(PUBLISHER_STOPPED);
      this.#connection.send(unpublished(PUBLISHER_STOPPED));
    }
  }

  /** One publish or play at a time; nothing is read until it is decided. */
  #begin(verb: 'publish' | 'play', name: Amf0Value, streamId: number, target: ConnectTarget): void {
    if (this.#state.at !== 'connected') {
      throw new WireError('rtmp.command-order', `${verb} came from a peer that is ${this.#state.at}`);
    }
    const gone = new AbortController();
    this.#state = { at: 'opening', target, gone };
    this.#session = undefined;
    this.#connection.hold();
    void this.#open(verb, name, streamId, target, gone.signal);
  }

  /** Never rejects. */
  async #open(
    verb: 'publish' | 'play',
    name: Amf0Value,
    streamId: number,
    target: ConnectTarget,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      checkStreamId(streamId);
      const stream = streamTarget(target, name);
      if (verb === 'publish') await this.#publish(stream, target);
      else await this.#play(stream, target, signal);
    } catch (error) {
      this.#decline(verb, error, streamId);
    }
  }

  /** What went wrong while it opened: the peer's violation, an error of ours, or a refusal. */
  #decline(verb: 'publish' | 'play', error: unknown, streamId: number): void {
    if (error instanceof WireError || !(error instanceof TidewayError)) {
      this.#connection.fail(error);
    } else if (!this.#isClosed()) {
      const code = verb === 'publish' ? publishRefusal(error) : playRefusal(error);
      this.#refuse(error, failure(code, error, streamId));
    }
  }

  async #publish({ key, query }: StreamTarget, target: ConnectTarget): Promise<void> {
    const { remote } = this.#connection;
    const ended = (why: Reason) => this.#publicationEnded(why);
    const session = this.#needs.sessionOf(query);
    this.#session = session;
    const request = { key, query, protocol: 'rtmp', remote, session, ended } as const;
    const publication = await this.#needs.openPublication(request);
    if (this.#state.at !== 'opening') {
      publication.end(this.#state.at === 'closed' ? this.#state.why : ENDED);
      return;
    }
    this.#state = { at: 'publishing', target, key, session, publisher: new RtmpPublisher(publication) };
    this.#heard = { bytes: this.#connection.bytesIn, ms: this.#needs.clock.now() };
    this.#connection.allowMedia(true);
    this.#connection.send(...publishStarted());
    this.#connection.release();
  }

  async #play({ key, query }: StreamTarget, target: ConnectTarget, signal: AbortSignal): Promise<void> {
    const { remote } = this.#connection;
    const session = this.#needs.sessionOf(query);
    this.#session = session;
    const asked = { key, query, protocol: 'rtmp', remote } as const;
    await this.#needs.admit({ ...asked, session });
    if (this.#state.at !== 'opening') return;
    const elsewhere = this.#needs.sendOn({ ...asked, session, headers: {} });
    if (elsewhere !== undefined) {
      this.#dismiss(playRedirected(elsewhere));
      return;
    }
    const stream = await this.#needs.openStream({ ...asked, signal });
    if (this.#state.at !== 'opening') return;
    const player = new RtmpPlayer(this.#connection, () => this.#end(ENDING_MS));
    this.#state = { at: 'playing', target, player };
    this.#connection.send(...playStarted());
    if (!this.#isClosed()) player.start(stream, session);
    this.#connection.release();
  }

  // Endings

  /** The node ended the publication: the publisher is told, and may come back on a new connection. */
  #publicationEnded(why: Reason): void {
    const before = this.#state;
    if (before.at !== 'publishing' && before.at !== 'opening') return;
    if (before.at === 'publishing') before.publisher.end(why);
    const wasTaken = why.code.startsWith('publish.taken');
    // It is the node that goes: another one has room.
    if (why.code.startsWith('node.')) this.sendElsewhere(why);
    this.#connection.send(wasTaken ? failure('NetStream.Publish.BadName', why) : unpublished(why));
    this.#end(REFUSED_MS);
  }

  /** Says no. */
  #refuse(why: Reason, answer: RtmpMessage): void {
    this.#reportRefusal(why);
    this.#dismiss(answer);
  }

  /** Last words: nothing that the peer sends is read any more, and it is closed within a second. */
  #dismiss(answer: RtmpMessage): void {
    this.#connection.send(answer);
    if (this.#isClosed()) return;
    this.#state = { at: 'ending' };
    this.#deadline = this.#in(REFUSED_MS, ENDED);
    this.#connection.shut();
  }

  /** Closes behind what was written, within `ms`. */
  #end(ms: number): void {
    if (this.#isClosed()) return;
    this.#state = { at: 'ending' };
    this.#deadline = this.#in(ms, ENDED);
    this.#connection.end();
  }

  /** A method, because the compiler takes a state for unchanged across calls that change it. */
  #isClosed(): boolean {
    return this.#state.at === 'closed';
  }

  #reportRefusal({ code, message }: Reason): void {
    this.#needs.counters.refused(code);
    const { remote } = this.#connection;
    this.#needs.log.info({ session: this.#session, remote, code, detail: message }, 'rtmp.refused');
  }

  #in(ms: number, why: Reason): { atMs: number; why: Reason } {
    return { atMs: this.#needs.clock.now() + ms, why };
  }
}

function checkStreamId(streamId: number): void {
  if (streamId === MEDIA_STREAM_ID) return;
  const message = `message stream ${streamId} was not created: createStream answers ${MEDIA_STREAM_ID}`;
  throw new TidewayError('rtmp.stream-id', message, { streamId });
}

/** A command's name is the peer's own text: what looks like none, or like a stream name with its query, is cut off. */
function loggable(name: string): string {
  return /^\w{0,32}/.exec(name)?.[0] ?? '';
}

function objectOf(value: Amf0Value): Amf0Object {
  if (value instanceof Map) return value;
  throw new WireError('rtmp.command', 'connect carries no command object');
}
