// How much of what players should have had they have got. Pure: it is told places and times.

/** A frame in a player's bytes. */
export interface Place {
  readonly number: number;
  /** Payload bytes of the stream before it. */
  readonly beforeBytes: number;
  readonly sentUs: number;
  /** Bytes of the connection before its payload. */
  readonly at: number;
}

/** One player. */
export interface Progress {
  /** When it asked for its stream. */
  readonly askedUs: number;
  /** The first key frame that it got: what comes before it nobody can show. */
  readonly first: Place | undefined;
  /** The newest frame that it is known to have got. */
  readonly last: Place | undefined;
  /** When it got `last`. */
  readonly lastUs: number;
  /** It got `last` just now: it was asked for its place, and is still being served. */
  readonly isFresh: boolean;
  /** All bytes of the connection. */
  readonly bytes: number;
  readonly isPlain: boolean;
}

/** What FLV puts around a payload. */
const TAG_BYTES = 15;
/** A player whose newest frame is older does not keep up: all that was sent by now counts as due. */
export const MAX_LATE_US = 1_000_000;

/**
 * The part of what was due that the players got, 0 to 1, each player counting by what was due to it; 0 without players.
 *
 * A player's stretch is the bytes from the payload of its first key frame to the payload of a frame that it got just
 * now. The marks of both say how much payload the stream sent between them, so there is no edge and nothing under way
 * at which an error could come in: of a plain FLV the stretch must be that payload and 15 bytes a tag, to the byte, of
 * other formats the payload times `wirePerPayload`. Being late is not loss, up to MAX_LATE_US. Beyond it, all that the
 * stream sent by now is due (at the mean rate of the streams), and of players that get nothing any more, too.
 *
 * @param wirePerPayload bytes on the wire for each byte of payload, of formats that frame or chunk it
 */
export function deliveryOf(players: readonly Progress[], wirePerPayload: number, atUs: number): number {
  const rate = meanRate(players);
  let due = 0;
  let got = 0;
  for (const player of players) {
    const { first, last } = player;
    if (!first || !last) {
      due += Math.max(0, atUs - player.askedUs) * rate;
      continue;
    }
    const sent = last.beforeBytes - first.beforeBytes;
    if (player.isFresh) {
      const lateUs = player.lastUs - last.sentUs;
      due += sent + (lateUs > MAX_LATE_US ? lateUs * rate : 0);
      const wire = player.isPlain ? sent + (last.number - first.number) * TAG_BYTES : sent * wirePerPayload;
      got += wire > 0 ? sent * Math.min(1, (last.at - first.at) / wire) : 0;
    } else {
      const sentByNow = sent + Math.max(0, atUs - last.sentUs) * rate;
      due += sentByNow;
      got += Math.min(sentByNow, (player.bytes - first.at) / wirePerPayload);
    }
  }
  return due > 0 ? got / due : 0;
}

/** Payload bytes per microsecond that streams sent in the stretches of players. */
function meanRate(players: readonly Progress[]): number {
  let bytes = 0;
  let spanUs = 0;
  for (const { first, last } of players) {
    if (!first || !last) continue;
    bytes += last.beforeBytes - first.beforeBytes;
    spanUs += last.sentUs - first.sentUs;
  }
  return spanUs > 0 ? bytes / spanUs : 0;
}
