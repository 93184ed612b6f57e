// What players see of a fault: everything is played for a while before, the fault is done, and afterwards each player's
// frames and waits are told.
import { type CheckedPlayer, caughtUp, type PlayerFormat } from './checked-player.ts';
import type { LoopWatch } from './loop-watch.ts';
import type { NumberedPublisher } from './numbered-publisher.ts';
import { until } from './until.ts';

/** One stream: who publishes it, and who plays it where. */
export interface Cast {
  readonly name: string;
  readonly publisher: NumberedPublisher;
  readonly players: readonly { readonly node: string; readonly player: CheckedPlayer }[];
}

export interface FaultPlan {
  /** Players play for so long before the fault, from when all play. */
  readonly beforeMs: number;
  /** Does the fault; resolves when it is over. */
  readonly fault: () => Promise<void>;
  /** And for so long after it. */
  readonly afterMs: number;
}

/** What one player saw. */
export interface PlayerSight {
  readonly stream: string;
  readonly node: string;
  readonly format: PlayerFormat;
  readonly frames: number;
  /** Those that are missing at the end among them. */
  readonly lost: number;
  readonly duplicated: number;
  readonly disordered: number;
  readonly corrupt: number;
  /** Times that fell, and that leapt by more than 3 s. */
  readonly badTimes: number;
  readonly badStarts: number;
  readonly splices: number;
  readonly disconnected: string | undefined;
  /** The longest wait in the fault's window less the longest in the time before, at least 0; ms. */
  readonly gapMs: number;
  readonly waitMs: number;
  readonly waitBeforeMs: number;
  /** What was wrong, in words. */
  readonly words: readonly string[];
}

export interface Sight {
  readonly players: readonly PlayerSight[];
  /** By `performance.now()`. */
  readonly faultMs: number;
  readonly endMs: number;
  /** The longest stall of the harness itself in the window and the time before it, ms. */
  readonly harnessStallMs: number;
}

/** Runs it over several streams at once. */
export async function sightOf(
  casts: readonly Cast[],
  { beforeMs, fault, afterMs }: FaultPlan,
  watch: LoopWatch,
): Promise<Sight> {
  const all = casts.flatMap(({ players }) => players.map(({ player }) => player));
  await until('all play', () => all.every(({ check }) => check.frames > 0), 15_000);
  await pass(beforeMs);
  const faultMs = performance.now();
  await fault();
  await pass(afterMs);
  const missing = new Map<CheckedPlayer, number>();
  for (const { publisher, players } of casts) {
    const ofCast = players.map(({ player }) => player);
    const counts = await caughtUp(publisher, ofCast);
    for (const [at, player] of ofCast.entries()) missing.set(player, counts[at] ?? 0);
  }
  const endMs = performance.now();
  const sights = casts.flatMap(({ name, players }) =>
    players.map(({ node, player }): PlayerSight => {
      const { check, format, ended } = player;
      const waitBeforeMs = check.longestWaitMs(faultMs - beforeMs, faultMs);
      const waitMs = check.longestWaitMs(faultMs, endMs);
      return {
        ...{ stream: name, node, format, frames: check.frames },
        lost: check.lost + (missing.get(player) ?? 0),
        ...{ duplicated: check.duplicated, disordered: check.disordered, corrupt: check.corrupt },
        ...{ badTimes: check.backward + check.leaps, badStarts: check.badStarts, splices: check.splices },
        disconnected: ended,
        gapMs: Math.max(0, waitMs - waitBeforeMs),
        ...{ waitMs, waitBeforeMs, words: check.words },
      };
    }),
  );
  return { players: sights, faultMs, endMs, harnessStallMs: watch.worstMs(faultMs - beforeMs, endMs) };
}

/** Time that a fault lasts, or in which nothing may happen: never a way to wait for something. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
