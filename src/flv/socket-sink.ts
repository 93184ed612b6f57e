// A player's socket as a Sink: shared buffers go to it as they are. It closes the socket, and tells the player when
// it ran empty and when it is gone.
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { writeNow } from '../base/write-now.ts';
import type { Player, Sink } from '../media/player.ts';

/** How long a player that was told the end gets to take what is written and close. */
const END_MS = 3000;

const LEFT: Reason = { code: 'player.left', message: 'the player closed its connection' };

export class SocketSink implements Sink {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #sayEnd: (why: Reason) => void;
  #deadline: Timer | undefined;
  /** Why the player is gone, once its socket is. */
  #gone = LEFT;

  /** @param sayEnd writes the protocol's own end behind what was written, and half-closes */
  constructor(socket: Socket, clock: Clock, sayEnd: (why: Reason) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#sayEnd = sayEnd;
  }

  get backlogBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer): boolean {
    return writeNow(this.#socket, bytes);
  }

  end(why: Reason): void {
    if (this.#deadline || this.#socket.destroyed) return;
    this.#deadline = this.#clock.after(END_MS, () => this.#socket.destroy());
    this.#sayEnd(why);
  }

  destroy(why: Reason): void {
    this.#gone = why;
    this.#socket.destroy();
  }

  /** Tells the player what becomes of its socket, from now on. */
  attach(player: Player): void {
    this.#socket.on('drain', () => player.drained());
    this.#socket.on('error', (error) => {
      this.#gone = { code: 'player.socket', message: `the connection failed: ${error.message}` };
    });
    this.#socket.once('close', () => {
      this.#deadline?.cancel();
      player.leave(this.#gone);
    });
  }
}
