// One WebSocket to another node: the handshake, then messages, beats, and how the link does. It reads and writes; which
// link of a node stays is links.ts's, what messages mean is its owner's.
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Allowance } from '../base/allowance.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { type Reason, TidewayError, WireError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Control, ControlMessage } from '../format/mesh/control.ts';
import { decodeControl, frameControl } from '../format/mesh/control-codec.ts';
import { isMediaMessage, readMediaMessage } from '../format/mesh/media-codec.ts';
import { type MaskedCopies, maskedMessages } from '../format/ws-frame.ts';
import { BeatLoss } from './beat-loss.ts';
import type { Handshake, Identity } from './handshake.ts';
import type { OwnTime } from './own-time.ts';
import type { LinkOwner, LinkQuality, Peer } from './peer.ts';
import { QualityMeter } from './quality.ts';
import type { QuietLog } from './quiet-log.ts';
import { SendWindow } from './send-window.ts';
import { Throughput } from './throughput.ts';

/** Bytes, heads of messages included, that a peer may send before it has proven itself; a hello and a proof are 400. */
const MAX_UNPROVEN_BYTES = 4 * 1024;
/** Beyond it the peer takes nothing any more: senders stop at much less. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;
/**
 * A link is closed that has been silent for so long. Where bytes are lost on the way TCP tries again ever less often, and
 * finds out that the way is back only seconds later; a new connection finds out at once. And who stood still comes back as
 * one who resumes, and lacks nothing.
 */
export const SILENT_MS = 2_000;
/** From our close to the end of the socket. */
const CLOSE_MS = 1_000;
/** Pings and pongs that a peer may send within PINGS_MS; each ping costs a pong. Our own nodes send none. */
const MAX_PINGS = 100;
const PINGS_MS = 10_000;
/** An echo says nothing of the way if this process stood still for longer meanwhile. */
const TIMELY_MS = 25;
/** The peer is told what was read of it when that is so much, and not more often than this. */
const GOT_BYTES = 16 * 1024;
const GOT_MS = 5;
/** Close codes of RFC 6455 §7.4.1. */
const NORMAL = 1000;
const POLICY_VIOLATION = 1008;
/** A close frame holds 125 bytes, two of them the close code (§5.5). */
const MAX_REASON_BYTES = 123;

/** An open WebSocket and the socket under it. */
export interface Connection {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly remote: string;
  /** This node dialled: it is WebSocket's client, and masks. */
  readonly isDialled: boolean;
}

/** Told of each "no", by its code. */
export interface LinkCounters {
  refused(code: string): void;
  wireError(code: string): void;
}

export interface LinkNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly quietLog: QuietLog;
  readonly counters: LinkCounters;
  readonly owner: LinkOwner;
  readonly ownTime: OwnTime;
  readonly masks: MaskedCopies;
  /** 0: not known. */
  readonly registryWallMs: () => number;
  /** Why a peer that has proven itself is not wanted; undefined if it is. */
  readonly unwanted: (peer: Identity) => Reason | undefined;
  /** The peer has proven itself, and may be sent to. */
  readonly opened: (link: Link) => void;
  /** Once, opened or not: nothing comes of it any more. */
  readonly ended: (link: Link, why: Reason) => void;
  /** The socket is closed. */
  readonly gone: (link: Link) => void;
}

const PEER_GONE: Reason = { code: 'mesh.peer-gone', message: 'the peer closed the connection' };
const UNKNOWN: Identity = { node: '', boot: '', version: '' };

export class Link implements Peer {
  readonly remote: string;
  readonly isDialled: boolean;
  readonly sinceMs: number;
  readonly #needs: LinkNeeds;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  /** Without the port, for the log. */
  readonly #address: string;
  readonly #quality = new QualityMeter();
  readonly #loss: BeatLoss;
  readonly #throughput: Throughput;
  readonly #allowance = new Allowance();
  readonly #window: SendWindow;
  /** Of what was read, how much the peer knows of; and the timer that tells it more. */
  #toldGotBytes = 0;
  #gotTimer: Timer | undefined;
  #state: { at: 'handshake'; handshake: Handshake } | { at: 'open' } | { at: 'closed' };
  #peer = UNKNOWN;
  #wasOpen = false;
  #isEndTold = false;
  /** Own time (own-time.ts) of the last byte. */
  #heardMs: number;
  #unprovenBytes = 0;
  #stoodAtBeatMs = 0;
  #pings = 0;
  #pingsSinceMs: number;
  #registry: { readonly wallMs: number; readonly atMs: number } | undefined;
  #deadline: Timer | undefined;
  /** What the socket said before it closed. */
  #socketError: string | undefined;

  /** Begins the handshake. The connection is the link's from now on. */
  constructor(connection: Connection, handshake: Handshake, needs: LinkNeeds) {
    const { webSocket, socket } = connection;
    this.remote = connection.remote;
    this.isDialled = connection.isDialled;
    this.#address = socket.remoteAddress ?? connection.remote;
    this.#needs = needs;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#state = { at: 'handshake', handshake };
    this.sinceMs = needs.clock.now();
    this.#window = new SendWindow(this.sinceMs);
    this.#heardMs = needs.ownTime.at(this.sinceMs);
    this.#loss = new BeatLoss(this.#heardMs);
    this.#throughput = new Throughput(this.sinceMs);
    this.#pingsSinceMs = this.sinceMs;
    webSocket.on('message', (bytes: Buffer, isBinary) => this.#received(bytes, isBinary));
    webSocket.on('ping', () => this.#pinged());
    webSocket.on('pong', () => this.#pinged());
    webSocket.on('error', (error) => this.#failed(asWireError(error)));
    webSocket.on('close', (_code, said) => this.#socketClosed(said.toString('latin1')));
    // Behind ws's own listener: a message that ends in these bytes has been taken when they are counted.
    socket.on('data', (bytes: Buffer) => this.#heard(bytes.length));
    socket.on('drain', () => this.#drained());
    socket.on('error', ({ message }) => {
      this.#socketError = message;
    });
    const first = handshake.open();
    if (first) this.#sendNow(first);
  }

  get node(): string {
    return this.#peer.node;
  }

  get boot(): string {
    return this.#peer.boot;
  }

  get version(): string {
    return this.#peer.version;
  }

  get isOpen(): boolean {
    return this.#state.at === 'open' && this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  /** It was open once: its owner knows it. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten;
  }

  get takenBytes(): number {
    return this.#window.takenBytes;
  }

  get windowBytes(): number {
    return this.#window.bytes(this.#needs.clock.now());
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead;
  }

  get quality(): LinkQuality | undefined {
    const nowMs = this.#needs.clock.now();
    const quality = this.#quality.quality(nowMs);
    if (quality === undefined) return undefined;
    const { receivedBytesPerS, sentBytesPerS } = this.#throughput;
    const lossShare = this.#loss.share(this.#needs.ownTime.seenMs(nowMs));
    return { ...quality, lossShare, receivedBytesPerS, sentBytesPerS };
  }

  get registryWallMs(): number | undefined {
    if (this.#registry === undefined) return undefined;
    return this.#registry.wallMs + (this.#needs.clock.now() - this.#registry.atMs);
  }

  silentMs(nowMs: number): number {
    return Math.max(0, this.#needs.ownTime.seenMs(nowMs) - this.#heardMs);
  }

  send(message: ControlMessage): void {
    if (!this.isOpen) return;
    try {
      this.#sendNow(message);
    } catch (error) {
      this.#endSoon(this.#internal(error));
    }
  }

  write(framed: Buffer): void {
    if (!this.isOpen || framed.length === 0) return;
    this.#write(this.isDialled ? this.#needs.masks.of(framed) : framed);
  }

  close(why: Reason): void {
    this.#end(why, NORMAL);
  }

  /** Each BEAT_MS. */
  beat(nowMs: number): void {
    if (!this.isOpen) return;
    const { ownTime, owner, registryWallMs } = this.#needs;
    const silentMs = this.silentMs(nowMs);
    if (silentMs > SILENT_MS) {
      const message = `nothing came from the peer for ${Math.round(silentMs)} ms`;
      this.#destroy({ code: 'mesh.silent', message });
      return;
    }
    this.#allowMore(nowMs);
    this.#throughput.take(nowMs, this.receivedBytes, this.sentBytes);
    this.#stoodAtBeatMs = ownTime.stoodMs(nowMs);
    try {
      const { heads, cameAt } = owner.heads(this);
      const echo = this.#quality.echo(nowMs);
      this.send({
        is: 'beat',
        at: nowMs,
        ...(echo && { echo }),
        registryWallMs: registryWallMs(),
        heads,
        cameAt,
      });
    } catch (error) {
      this.#end(this.#internal(error), POLICY_VIOLATION);
    }
  }

  #received(bytes: Buffer, isBinary: boolean): void {
    const state = this.#state;
    if (state.at === 'closed') return;
    try {
      if (!isBinary) throw new WireError('mesh.text', 'the peer sent a text message');
      if (state.at === 'handshake') this.#shake(state.handshake, bytes);
      else if (isMediaMessage(bytes)) this.#needs.owner.media(this, readMediaMessage(bytes), bytes.length);
      else this.#control(decodeControl(bytes));
    } catch (error) {
      this.#failed(error);
    }
  }

  #shake(handshake: Handshake, bytes: Buffer): void {
    if (bytes.length > MAX_UNPROVEN_BYTES) throw tooLarge(bytes.length);
    if (isMediaMessage(bytes)) {
      throw new WireError('mesh.handshake-order', 'media came before the handshake was done');
    }
    const { send, peer } = handshake.take(decodeControl(bytes));
    if (peer) this.#peer = peer;
    const unwanted = peer && this.#needs.unwanted(peer);
    if (unwanted) {
      this.#end(unwanted, NORMAL);
      return;
    }
    if (send) this.#sendNow(send);
    if (!peer) return;
    this.#state = { at: 'open' };
    this.#wasOpen = true;
    this.#loss.excuse(this.#needs.ownTime.at(this.#needs.clock.now()));
    this.#needs.opened(this);
  }

  #control(message: ControlMessage): void {
    if (message.is === 'hello' || message.is === 'proof') {
      throw new WireError('mesh.handshake-order', `a ${message.is} came after the handshake`);
    }
    if (message.is === 'beat') this.#takeBeat(message);
    if (message.is === 'got') this.#takeGot(message.bytes);
    this.#allowance.spend(1);
    if (this.#allowance.isSpent) this.#webSocket.pause();
    if (message.is === 'got') this.#drained();
    else this.#needs.owner.control(this, message);
  }

  #takeGot(bytes: number): void {
    if (!this.#window.isPlausible(bytes)) {
      throw new WireError('mesh.number', `the peer says that it read ${bytes} bytes: more than it was sent`);
    }
    this.#window.taken(bytes, this.#needs.clock.now());
  }

  #takeBeat(beat: Control<'beat'>): void {
    const { clock, ownTime } = this.#needs;
    const nowMs = clock.now();
    const isTimely = ownTime.stoodMs(nowMs) - this.#stoodAtBeatMs <= TIMELY_MS;
    this.#quality.take(beat, nowMs, isTimely);
    this.#loss.heard(ownTime.at(nowMs));
    if (beat.registryWallMs > 0) {
      const underWayMs = (this.#quality.quality(nowMs)?.rttMs ?? 0) / 2;
      this.#registry = { wallMs: beat.registryWallMs + underWayMs, atMs: nowMs };
    }
  }

  #allowMore(nowMs: number): void {
    this.#allowance.replenish(nowMs);
    if (!this.#webSocket.isPaused) return;
    // What the peer says meanwhile stays in the kernel: that is not its silence.
    this.#heardMs = this.#needs.ownTime.at(nowMs);
    this.#loss.excuse(this.#heardMs);
    if (!this.#allowance.isSpent) this.#webSocket.resume();
  }

  #heard(bytes: number): void {
    this.#heardMs = this.#needs.ownTime.at(this.#needs.clock.now());
    if (this.#state.at !== 'handshake') {
      if (this.#socket.bytesRead - this.#toldGotBytes >= GOT_BYTES) {
        this.#gotTimer ??= this.#needs.clock.after(GOT_MS, () => this.#tellGot());
      }
      return;
    }
    this.#unprovenBytes += bytes;
    if (this.#unprovenBytes > MAX_UNPROVEN_BYTES) this.#failed(tooLarge(this.#unprovenBytes));
  }

  #tellGot(): void {
    this.#gotTimer = undefined;
    this.#toldGotBytes = this.#socket.bytesRead;
    this.send({ is: 'got', bytes: this.#toldGotBytes });
  }

  #pinged(): void {
    const nowMs = this.#needs.clock.now();
    if (nowMs - this.#pingsSinceMs > PINGS_MS) {
      this.#pingsSinceMs = nowMs;
      this.#pings = 0;
    }
    this.#pings += 1;
    if (this.#pings <= MAX_PINGS) return;
    const text = `the peer sent over ${MAX_PINGS} pings and pongs within ${PINGS_MS} ms`;
    this.#failed(new WireError('mesh.talks-too-much', text));
  }

  #drained(): void {
    if (!this.isOpen) return;
    try {
      this.#needs.owner.drained(this);
    } catch (error) {
      this.#failed(error);
    }
  }

  #sendNow(message: ControlMessage): void {
    const framed = frameControl(message);
    this.#write(this.isDialled ? maskedMessages(framed) : framed);
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.writable) return;
    this.#socket.write(bytes);
    this.#window.sent(this.#socket.bytesWritten, this.#needs.clock.now());
    const backlogBytes = this.#socket.writableLength;
    if (backlogBytes <= MAX_BACKLOG_BYTES) return;
    const message = `the peer does not take what it is sent: ${backlogBytes} bytes wait`;
    this.#endSoon({ code: 'mesh.backlog', message });
  }

  /** The one who writes is in the midst of something: the owner is told after this turn. */
  #endSoon(why: Reason): void {
    if (this.#state.at === 'closed') return;
    this.#state = { at: 'closed' };
    this.#webSocket.terminate();
    this.#needs.clock.soon(() => this.#tellEnd(why));
  }

  #tellEnd(why: Reason): void {
    if (this.#isEndTold) return;
    this.#isEndTold = true;
    this.#needs.ended(this, why);
  }

  #failed(error: unknown): void {
    if (this.#state.at === 'closed') return;
    const { counters, quietLog } = this.#needs;
    const fields = { remote: this.remote, peer: this.node || undefined };
    if (error instanceof WireError) {
      counters.wireError(error.code);
      quietLog.wireError(this.#address, {
        ...fields,
        ...error.fields,
        code: error.code,
        detail: error.message,
      });
      this.#end(error, POLICY_VIOLATION);
    } else if (error instanceof TidewayError && this.#state.at === 'handshake') {
      counters.refused(error.code);
      quietLog.refused(this.#address, {
        ...fields,
        ...error.fields,
        code: error.code,
        detail: error.message,
      });
      this.#end(error, POLICY_VIOLATION);
    } else {
      this.#end(this.#internal(error), POLICY_VIOLATION);
    }
  }

  #internal(err: unknown): Reason {
    this.#needs.log.error({ peer: this.node, remote: this.remote, err }, 'mesh.internal-error');
    return { code: 'mesh.internal', message: 'an error in the node itself, at this link' };
  }

  /** Says why, and closes the socket within CLOSE_MS. */
  #end(why: Reason, closeCode: number): void {
    if (this.#state.at === 'closed') return;
    this.#state = { at: 'closed' };
    this.#deadline = this.#needs.clock.after(CLOSE_MS, () => this.#webSocket.terminate());
    this.#webSocket.close(closeCode, closeReason(why));
    this.#tellEnd(why);
  }

  /** Closes the socket at once: nobody listens. */
  #destroy(why: Reason): void {
    if (this.#state.at === 'closed') return;
    this.#state = { at: 'closed' };
    this.#webSocket.terminate();
    this.#tellEnd(why);
  }

  #socketClosed(said: string): void {
    this.#deadline?.cancel();
    this.#gotTimer?.cancel();
    if (this.#state.at !== 'closed') {
      this.#state = { at: 'closed' };
      this.#tellEnd(this.#whyGone(said));
    }
    this.#needs.gone(this);
  }

  #whyGone(said: string): Reason {
    // Anybody may have written it: nothing of it but the shape of a code gets on.
    const code = /^[a-z0-9-]{1,32}\.[a-z0-9-]{1,32}(?=: |$)/.exec(said)?.[0];
    if (code === 'mesh.duplicate')
      return { code, message: 'the peer keeps another link between the two nodes' };
    if (code !== undefined) return { code: 'mesh.peer-closed', message: `the peer closed the link: ${code}` };
    if (this.#socketError === undefined) return PEER_GONE;
    return { code: 'mesh.socket', message: `the connection failed: ${this.#socketError}` };
  }
}

function tooLarge(size: number): WireError {
  const text = `${size} bytes came before the handshake was done: over the limit of ${MAX_UNPROVEN_BYTES}`;
  return new WireError('mesh.too-large', text, { size });
}

/** What ws says of bytes that break RFC 6455, or its own bounds. */
function asWireError(error: Error & { code?: string }): WireError {
  const isTooLarge =
    error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ||
    error.code === 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH';
  if (isTooLarge) return new WireError('mesh.too-large', 'a message from the peer is too large');
  return new WireError('mesh.bad-frame', `the peer broke RFC 6455: ${error.message}`);
}

function closeReason({ code, message }: Reason): Buffer {
  const text = Buffer.from(`${code}: ${message}`);
  return text.length <= MAX_REASON_BYTES ? text : Buffer.from(code).subarray(0, MAX_REASON_BYTES);
}
