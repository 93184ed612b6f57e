// One publisher or player that is here, as lists show it: read from its part when somebody asks.
import { type Clock, wallMsAt } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { protocol, type SessionRow } from '../http/forms/sessions.ts';
import type { Player } from '../media/player.ts';
import type { PublisherSeat } from './publisher-seat.ts';

type Part =
  | { readonly is: 'publisher'; readonly seat: PublisherSeat }
  | { readonly is: 'player'; readonly key: StreamKey; readonly player: Player };

/** What is counted of it: so far, or by now. */
type Counted = Pick<SessionRow, 'bytes' | 'backlogBytes' | 'dropped' | 'skips'>;

/** A look within so long of the last one is the same look, ms. */
const SAME_LOOK_MS = 500;

const PUBLISHER_STATES: Readonly<Record<PublisherSeat['at'], SessionRow['state'] | undefined>> = {
  new: undefined,
  'on air': 'live',
  'standing by': 'standby',
  left: 'ended',
};

export class OpenSession {
  readonly id: string;
  readonly protocol: SessionRow['protocol'];
  /** Somebody is to be told when it is over: by what counted when it began. */
  readonly tellsEnd: boolean;
  readonly #part: Part;
  /** When it began, ISO 8601; as it was told first. */
  #since: string | undefined;
  /** When its bytes were looked at last, how many they were, and how fast they had come. */
  #lookedMs: number;
  #lookedBytes = 0;
  #bytesPerS = 0;

  /** @param id of its part, too */
  constructor(id: string, part: Part, tellsEnd: boolean) {
    this.id = id;
    this.tellsEnd = tellsEnd;
    this.#part = part;
    this.protocol = protocol.parse(
      part.is === 'player' ? part.player.encoder.format : part.seat.request.protocol,
    );
    this.#lookedMs = this.startedMs;
  }

  get kind(): SessionRow['kind'] {
    return this.#part.is;
  }

  get key(): StreamKey {
    return this.#part.is === 'player' ? this.#part.key : this.#part.seat.key;
  }

  get remote(): string {
    return this.#part.is === 'player' ? this.#part.player.remote : this.#part.seat.request.remote;
  }

  get startedMs(): number {
    return this.#part.is === 'player' ? this.#part.player.startedMs : this.#part.seat.startedMs;
  }

  /** When it began, ISO 8601. */
  since(clock: Clock): string {
    this.#since ??= new Date(wallMsAt(clock, this.startedMs)).toISOString();
    return this.#since;
  }

  /** Undefined: it is a publisher that was not let in yet. */
  get state(): SessionRow['state'] | undefined {
    return this.#part.is === 'player' ? this.#part.player.state : PUBLISHER_STATES[this.#part.seat.at];
  }

  get counted(): Counted {
    const part = this.#part;
    const { bytes } = this;
    if (part.is === 'publisher') return { bytes, backlogBytes: 0, dropped: part.seat.dropped, skips: 0 };
    const { backlogBytes, cursor } = part.player;
    const { disposable, video } = cursor.leftOut;
    return { bytes, backlogBytes, dropped: disposable + video, skips: cursor.skips };
  }

  get bytes(): number {
    return this.#part.is === 'player' ? this.#part.player.sentBytes : this.#part.seat.bytes;
  }

  /** Its bytes a second since the look before this one; since its start at the first look. */
  bytesPerS(nowMs: number): number {
    const ms = nowMs - this.#lookedMs;
    if (ms < SAME_LOOK_MS) return this.#bytesPerS;
    const { bytes } = this;
    this.#bytesPerS = Math.max(0, ((bytes - this.#lookedBytes) * 1000) / ms);
    this.#lookedMs = nowMs;
    this.#lookedBytes = bytes;
    return this.#bytesPerS;
  }

  /** Ends it, in its protocol's own way. */
  end(why: Reason): void {
    if (this.#part.is === 'player') this.#part.player.end(why);
    else this.#part.seat.kick(why);
  }
}
