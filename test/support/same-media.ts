// What must hold between the frames that went in and those that came out.
import { expect } from 'vitest';
import type { SeenFrame } from './frames.ts';
import { mediaOf } from './sources.ts';

/** Kind and payload hash: composition times are part of the payload. */
export function prints(frames: readonly SeenFrame[]): string[] {
  return frames.map(({ kind, hash }) => `${kind} ${hash}`);
}

/** Time never falls within a track. */
export function expectNoBackwardTime(player: string, frames: readonly SeenFrame[]): void {
  for (const track of [8, 9]) {
    const times = frames.filter(({ kind }) => kind === track).map(({ timestamp }) => timestamp);
    const fell = times.findIndex((time, index) => index > 0 && time < (times[index - 1] ?? 0));
    expect(fell, `${player}: time falls in track ${track} at ${times.slice(fell - 1, fell + 1)}`).toBe(-1);
  }
}

/**
 * The media that came out is what went in, from the join point to the end, by payload and by time; it begins at a key
 * frame. Answers how many frames that are.
 */
export function expectSuffix(
  player: string,
  out: readonly SeenFrame[],
  source: readonly SeenFrame[],
): number {
  const media = mediaOf(out);
  expect(media.length, `${player}: frames`).toBeGreaterThan(0);
  const sent = source.slice(-media.length);
  expect(prints(media), player).toEqual(prints(sent));
  const shift = (media[0]?.timestamp ?? 0) - (sent[0]?.timestamp ?? 0);
  expect(
    media.map(({ timestamp }) => timestamp - shift),
    `${player}: times`,
  ).toEqual(sent.map(({ timestamp }) => timestamp));
  expectNoBackwardTime(player, media);
  const [first] = media;
  if (source.some(({ kind }) => kind === 9)) {
    expect(first?.kind, `${player} starts with video`).toBe(9);
    expect(((first?.payload[0] ?? 0) >> 4) & 7, `${player} starts at a key frame`).toBe(1);
  }
  return media.length;
}
