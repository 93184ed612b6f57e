// One player of a crowd: a socket that asks for a stream and drains it. It looks at its bytes until its first key frame is
// whole, then only counts them, unless it is a watcher or is asked to find its place. It never judges what it saw.
import { connect, type Socket } from 'node:net';
import { writeMessage } from '../../src/format/rtmp/chunk-writer.ts';
import { acknowledgement } from '../../src/format/rtmp/message.ts';
import type { Place, Progress } from './delivery.ts';
import { type Greeting, greetingFor } from './greeting.ts';
import { MarkFinder } from './mark.ts';
import { nowUs } from './now.ts';
import type { WireFormat } from './orders.ts';
import type { Samples } from './samples.ts';

/** Where all sockets of the process read into, one after the other. It fits a second-level cache. */
const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

/** What a player is sent out for. */
export interface Errand {
  readonly format: WireFormat;
  readonly host: string;
  readonly port: number;
  readonly stream: string;
  /** Where it connects from. */
  readonly localAddress: string;
  /** Sends its request and reads nothing more. */
  readonly isFrozen: boolean;
  /** Looks at every frame. */
  readonly isWatcher: boolean;
}

/** Where the players of a group write what they measure. */
export interface Measures {
  readonly delays: Samples;
  readonly joins: Samples;
  longestPauseUs: number;
}

/** A player from its connection on; the fields are for others to read. Its socket's end is its end. */
export class CrowdPlayer implements Progress {
  readonly errand: Errand;
  readonly askedUs = nowUs();
  /** It is neither refused nor closed. */
  isOpen = true;
  /** Its request is on its way. */
  hasAsked = false;
  /** Its first key frame is here. */
  hasJoined = false;
  bytes = 0;
  first: Place | undefined;
  last: Place | undefined;
  lastUs = 0;
  isFresh = false;
  /** Of a watcher: payload bytes of the frames from `first` to `last`, that one not included. */
  seenBytes = 0;
  isPlain = false;
  readonly #measures: Measures;
  readonly #socket: Socket;
  #greeting: Greeting | undefined;
  /** What looks for marks, while something does. */
  #finder: MarkFinder | undefined = new MarkFinder(0);
  /** A frame whose mark is here is whole once so many bytes are; framing within a frame is not reckoned with. */
  #wholeAt = Number.POSITIVE_INFINITY;
  #frameBytes = 0;
  #frameSentUs = 0;
  #frameIsKey = false;
  /** `last` is to be found again. */
  #isSought = false;
  #readUs = this.askedUs;
  #ackWindowBytes = Number.POSITIVE_INFINITY;
  #ackAt = Number.POSITIVE_INFINITY;

  constructor(errand: Errand, measures: Measures) {
    this.errand = errand;
    this.#measures = measures;
    const { format, host, port, localAddress, stream, isFrozen } = errand;
    const greeting = greetingFor(format, `${host}:${port}`, stream);
    this.#greeting = greeting;
    const callback = (count: number) => this.#received(count);
    const socket = connect({ host, port, localAddress, onread: { buffer: READ_BUFFER, callback } });
    this.#socket = socket;
    socket.once('connect', () => {
      socket.setNoDelay(true);
      socket.write(greeting.opening());
      this.hasAsked = greeting.state === 'asked';
    });
    socket.once('error', () => {}); // 'close' follows
    socket.once('close', () => {
      this.isOpen = false;
    });
    if (isFrozen && greeting.state === 'asked') socket.pause();
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Finds `last` again, in the bytes that come from now on. */
  seek(): void {
    this.isFresh = false;
    if (!this.isOpen || !this.first) return;
    this.#isSought = true;
    this.#finder ??= new MarkFinder(this.bytes);
  }

  /** Is no longer sought: it was found, or won't be. */
  get isPlaced(): boolean {
    return !this.#isSought || !this.isOpen;
  }

  /** Gives up a search. */
  unseek(): void {
    this.#isSought = false;
    this.#rest();
  }

  /** How long a watcher has been without a byte. */
  notePause(atUs: number): void {
    if (!this.errand.isWatcher || !this.hasJoined || !this.isOpen) return;
    this.#measures.longestPauseUs = Math.max(this.#measures.longestPauseUs, atUs - this.#readUs);
  }

  leave(): void {
    this.#socket.destroy();
  }

  /** @returns whether to read on */
  #received(count: number): boolean {
    this.bytes += count;
    if (this.bytes >= this.#ackAt) this.#acknowledge();
    return this.#finder === undefined || this.#attend(count);
  }

  #attend(count: number): boolean {
    const bytes = READ_BUFFER.subarray(0, count);
    if (this.#greeting && !this.#greet(this.#greeting, bytes)) return false;
    const atUs = nowUs();
    const { isWatcher } = this.errand;
    if (isWatcher) this.notePause(atUs);
    this.#readUs = atUs;
    const finder = this.#finder;
    if (!finder) return true;
    finder.push(bytes);
    // A mark shows that the frame before it is whole.
    while (this.#finder && finder.next()) {
      if (this.#wholeAt < Number.POSITIVE_INFINITY) this.#finishFrame(atUs);
      this.#beginFrame(finder, atUs);
    }
    if (this.bytes >= this.#wholeAt) this.#finishFrame(atUs);
    return true;
  }

  /** @returns whether to read on */
  #greet(greeting: Greeting, bytes: Buffer): boolean {
    let reply: Buffer;
    try {
      reply = greeting.push(bytes);
    } catch {
      this.#socket.destroy();
      return false;
    }
    if (reply.length > 0) this.#socket.write(reply);
    switch (greeting.state) {
      case 'talking':
        return true;
      case 'asked':
        this.hasAsked = true;
        return !this.errand.isFrozen;
      case 'granted':
        this.isPlain = greeting.isPlain;
        this.#greeting = undefined;
        if (greeting.ackWindowBytes > 0) {
          this.#ackWindowBytes = greeting.ackWindowBytes;
          this.#acknowledge();
        }
        return true;
      case 'refused':
        this.#socket.destroy();
        return false;
    }
  }

  /** A mark is here. */
  #beginFrame(finder: MarkFinder, atUs: number): void {
    if (this.first) this.seenBytes += this.#frameBytes;
    const { number, beforeBytes, sentUs, isKey, payloadAt: at } = finder;
    this.#frameBytes = finder.bytes;
    this.#frameSentUs = sentUs;
    this.#frameIsKey = isKey;
    this.#wholeAt = at + finder.bytes;
    if (this.first ? !this.#isSought && !this.errand.isWatcher : !isKey) return;
    this.last = { number, beforeBytes, sentUs, at };
    this.lastUs = atUs;
    this.isFresh = true;
    this.first ??= this.last;
    this.#isSought = false;
    this.#rest();
  }

  /** The last byte of the frame under way is here. */
  #finishFrame(atUs: number): void {
    this.#wholeAt = Number.POSITIVE_INFINITY;
    if (this.errand.isWatcher && this.#frameSentUs > this.askedUs) {
      this.#measures.delays.add((atUs - this.#frameSentUs) / 1000);
    }
    if (this.hasJoined || !this.#frameIsKey) return;
    this.hasJoined = true;
    this.#measures.joins.add((atUs - this.askedUs) / 1000);
    this.#rest();
  }

  /** From now on only counts, if that is all it has to do. */
  #rest(): void {
    if (this.errand.isWatcher || this.#isSought || !this.hasJoined) return;
    this.#finder = undefined;
    this.#wholeAt = Number.POSITIVE_INFINITY;
  }

  #acknowledge(): void {
    this.#ackAt = this.bytes + this.#ackWindowBytes;
    this.#socket.write(writeMessage(acknowledgement(this.bytes), 128));
  }
}
