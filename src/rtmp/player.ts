// An RTMP player's sink: chunked frames and, at the end, what RTMP says then. Commands are the session's matter.
import type { Reason } from '../base/errors.ts';
import { rtmpEncoder } from '../format/rtmp/chunk-writer.ts';
import type { RtmpMessage } from '../format/rtmp/message.ts';
import type { Player, Sink } from '../media/player.ts';
import type { Stream } from '../media/stream.ts';
import { playEnded } from './replies.ts';

/** The connection, as a player uses it. */
export interface PlayerOutlet {
  readonly remote: string;
  readonly backlogBytes: number;
  write(bytes: Buffer): boolean;
  send(...messages: readonly RtmpMessage[]): void;
  destroy(why: Reason): void;
}

export class RtmpPlayer implements Sink {
  readonly #outlet: PlayerOutlet;
  /** Closes the connection behind what was written, in a bounded time. */
  readonly #over: (why: Reason) => void;
  #player: Player | undefined;

  constructor(outlet: PlayerOutlet, over: (why: Reason) => void) {
    this.#outlet = outlet;
    this.#over = over;
  }

  /**
   * Joins the stream; frames may be written, and the end be said, before it returns.
   * @param session its id
   */
  start(stream: Pick<Stream, 'play'>, session: string): void {
    this.#player = stream.play(rtmpEncoder, this, { remote: this.#outlet.remote, session });
  }

  get backlogBytes(): number {
    return this.#outlet.backlogBytes;
  }

  write(bytes: Buffer): boolean {
    return this.#outlet.write(bytes);
  }

  end(why: Reason): void {
    this.#outlet.send(...playEnded(why));
    this.#over(why);
  }

  destroy(why: Reason): void {
    this.#outlet.destroy(why);
  }

  drained(): void {
    this.#player?.drained();
  }

  /** The player goes; calm when repeated. */
  leave(why: Reason): void {
    this.#player?.leave(why);
  }
}
