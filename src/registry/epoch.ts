// Epochs: the fencing numbers of publications. Pure: time and randomness come in by hand (design §5).

/** Milliseconds of 2024-01-01T00:00:00Z, from which epochs count. */
const EPOCH_ZERO_WALL_MS = Date.UTC(2024, 0, 1);
/** Low digits of an epoch: drawn at boot, so that two nodes never make the same one. */
const TAGS = 4096;
/** An epoch further ahead of registry time than this is refused. */
const MAX_AHEAD_MS = 10 * 60 * 1000;

/** A tag from 12 random bits. */
export function epochTag(random: number): number {
  return random & (TAGS - 1);
}

/**
 * The epoch above `last` at a registry time. Neither the clock nor the counter alone: the clock survives lost data, the
 * counter survives a clock that falls back.
 * @param last the highest epoch known of this stream; 0 if none
 * @param registryWallMs registry time, ms since 1970
 * @returns below 2^53
 */
export function nextEpoch(last: number, registryWallMs: number, tag: number): number {
  const counter = Math.floor(last / TAGS) + 1;
  return Math.max(counter, Math.floor(registryWallMs) - EPOCH_ZERO_WALL_MS) * TAGS + tag;
}

/** When an epoch was granted, ms since 1970; a little late when claims came faster than one a ms. */
export function epochStartWallMs(epoch: number): number {
  return Math.floor(epoch / TAGS) + EPOCH_ZERO_WALL_MS;
}

/** Is it a number that nextEpoch could have made by now? */
export function isPlausibleEpoch(epoch: number, registryWallMs: number): boolean {
  if (!Number.isSafeInteger(epoch) || epoch <= 0) return false;
  return Math.floor(epoch / TAGS) <= registryWallMs - EPOCH_ZERO_WALL_MS + MAX_AHEAD_MS;
}
