// One RTMP socket: bytes in -> messages, messages -> bytes out. It shakes hands, acknowledges and answers pings by
// itself; what the other messages mean is its owner's matter. Nothing is thrown out of a socket's callback.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Allowance } from '../base/allowance.ts';
import { type Reason, TidewayError, WireError } from '../base/errors.ts';
import { remoteOf } from '../base/remote.ts';
import { writeNow } from '../base/write-now.ts';
import { ChunkReader, DEFAULT_CHUNK_BYTES } from '../format/rtmp/chunk-reader.ts';
import { writeMessage } from '../format/rtmp/chunk-writer.ts';
import { ServerHandshake } from '../format/rtmp/handshake.ts';
import {
  acknowledgement,
  MessageType,
  parseControl,
  parseUserControl,
  type RtmpMessage,
  UserControl,
  userControl,
} from '../format/rtmp/message.ts';
import { ACK_WINDOW_BYTES } from './replies.ts';

/** Whom a connection serves. */
export interface ConnectionOwner {
  handshaken(): void;
  /** A message other than protocol control. What it throws closes the connection. */
  message(message: RtmpMessage): void;
  /** What was written has gone to the kernel. */
  drained(): void;
  /** Called once: the socket is destroyed. */
  closed(why: Reason): void;
}

const PEER_GONE: Reason = { code: 'rtmp.peer-gone', message: 'the peer closed the connection' };

const KEEP_ALIVE_MS = 30_000;
/** Answers wait behind media; a peer that asks and asks and reads nothing doesn't get more than this to read. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** Unfinished messages of a peer that may not send media; one who may gets MAX_MEDIA_UNFINISHED_BYTES. */
const MAX_UNFINISHED_BYTES = 128 * 1024;
const MAX_MEDIA_UNFINISHED_BYTES = 16 * 1024 * 1024;

/** A command counts as so many messages. */
const COMMAND_COST = 50;

/** `open` delivers; `held` keeps what was received already and reads no more; `shut` drops all that comes. */
type Gate = 'open' | 'held' | 'shut';

export class RtmpConnection {
  /** "address:port" of the peer. */
  readonly remote: string;
  /** Bytes received, the handshake included. */
  bytesIn = 0;
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #reader = new ChunkReader(MAX_UNFINISHED_BYTES);
  #handshake: ServerHandshake | undefined = new ServerHandshake(randomBytes);
  #gate: Gate = 'open';
  /** Messages that came in one read with the one that shut the gate: at most a read buffer full. */
  #waiting: readonly RtmpMessage[] = [];
  #outChunkBytes = DEFAULT_CHUNK_BYTES;
  #ackWindowBytes = ACK_WINDOW_BYTES;
  #ackedBytes = 0;
  #isClosed = false;
  readonly #allowance = new Allowance();

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.remote = remoteOf(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (bytes: Buffer) => this.#received(bytes));
    socket.on('drain', () => this.#owner.drained());
    socket.on('end', () => this.destroy(PEER_GONE));
    socket.on('error', (error) => this.destroy({ code: 'rtmp.socket-error', message: error.message }));
    socket.on('close', () => this.destroy(PEER_GONE));
  }

  /** Bytes written that the kernel has not taken. */
  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  /** Memory that unfinished messages of the peer hold, bytes. */
  get heldBytes(): number {
    return this.#reader.heldBytes;
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten;
  }

  /** Writes whole messages that are chunked already; the buffer is shared. Did nothing have to wait? */
  write(bytes: Buffer): boolean {
    return writeNow(this.#socket, bytes);
  }

  send(...messages: readonly RtmpMessage[]): void {
    if (messages.length === 0) return;
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) {
      this.destroy(new WireError('rtmp.unread', 'the peer asks and does not read the answers'));
      return;
    }
    const chunked: Buffer[] = [];
    for (const message of messages) {
      chunked.push(writeMessage(message, this.#outChunkBytes));
      if (message.type === MessageType.setChunkSize) this.#outChunkBytes = parseControl(message);
    }
    this.#socket.write(Buffer.concat(chunked));
  }

  /** May the peer send messages as big as media, and several at once? */
  allowMedia(allowed: boolean): void {
    this.#reader.maxUnfinishedBytes = allowed ? MAX_MEDIA_UNFINISHED_BYTES : MAX_UNFINISHED_BYTES;
  }

  /** Delivers nothing until `release`; the peer's further bytes stay in the kernel. */
  hold(): void {
    if (this.#gate !== 'open') return;
    this.#gate = 'held';
    this.#socket.pause();
  }

  release(): void {
    if (this.#gate !== 'held') return;
    this.#gate = 'open';
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      this.#deliver(waiting);
    } catch (error) {
      this.fail(error);
    }
    this.#resume();
  }

  /** Called a few times a second: a peer that sent more messages than it may for long gets read again in its turn. */
  replenish(nowMs: number): void {
    const wasSpent = this.#allowance.isSpent;
    this.#allowance.replenish(nowMs);
    if (wasSpent) this.#resume();
  }

  /** Reads nothing more; the owner closes it soon. */
  shut(): void {
    this.#gate = 'shut';
    this.#waiting = [];
    this.#socket.pause();
  }

  /** Closes our side behind what was written; what still comes is dropped, until the peer closes, too. */
  end(): void {
    this.shut();
    this.#socket.end();
    this.#socket.resume();
  }

  /** Calm when repeated. */
  destroy(why: Reason): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.shut();
    this.#socket.destroy();
    this.#owner.closed(why);
  }

  /** Closes it for what was thrown: a WireError is the peer's, anything else is ours. */
  fail(error: unknown): void {
    const why =
      error instanceof WireError
        ? error
        : new TidewayError('rtmp.internal', 'an error in the node itself', {}, { cause: error });
    this.destroy(why);
  }

  #received(bytes: Buffer): void {
    this.bytesIn += bytes.length;
    if (this.#gate === 'shut') return;
    try {
      const chunks = this.#handshake ? this.#shakeHands(this.#handshake, bytes) : bytes;
      if (chunks) this.#read(chunks);
      if (this.bytesIn - this.#ackedBytes >= this.#ackWindowBytes) this.#acknowledge();
    } catch (error) {
      this.fail(error);
    }
  }

  #read(chunks: Buffer): void {
    const before = this.#reader.completed;
    const messages = this.#reader.push(chunks);
    this.#allowance.spend(this.#reader.completed - before);
    this.#deliver(messages);
    if (this.#allowance.isSpent && this.#gate === 'open') this.#socket.pause();
  }

  #resume(): void {
    if (this.#gate === 'open' && !this.#allowance.isSpent) this.#socket.resume();
  }

  /** Returns the first chunk bytes, once the handshake is done. */
  #shakeHands(handshake: ServerHandshake, bytes: Buffer): Buffer | undefined {
    const { reply, rest } = handshake.push(bytes);
    if (reply.length > 0) this.#socket.write(reply);
    if (rest) {
      this.#handshake = undefined;
      this.#owner.handshaken();
    }
    return rest;
  }

  #deliver(messages: readonly RtmpMessage[]): void {
    let next = 0;
    for (const message of messages) {
      if (this.#gate !== 'open') break;
      next += 1;
      switch (message.type) {
        case MessageType.acknowledgement:
        case MessageType.setPeerBandwidth:
          parseControl(message);
          break;
        case MessageType.windowAckSize:
          this.#ackWindowBytes = parseControl(message);
          break;
        case MessageType.userControl:
          this.#userControl(message);
          break;
        case MessageType.command:
        case MessageType.amf3Command:
          this.#allowance.spend(COMMAND_COST);
          this.#owner.message(message);
          break;
        default:
          this.#owner.message(message);
      }
    }
    if (this.#gate === 'held' && next < messages.length) this.#waiting = messages.slice(next);
  }

  #userControl(message: RtmpMessage): void {
    const { event, value } = parseUserControl(message);
    if (event === UserControl.pingRequest) this.send(userControl(UserControl.pingResponse, value));
  }

  #acknowledge(): void {
    this.#ackedBytes = this.bytesIn;
    this.send(acknowledgement(this.bytesIn));
  }
}
