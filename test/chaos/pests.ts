// Those whom nobody wants: strangers who say at the doors of a node what should not be said, and players that do not read.
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type AttackedDoors, type Attacks, attack } from '../fuzz/attacks.ts';
import { Chance } from '../support/chance.ts';
import type { NodeProcess } from '../support/node-process.ts';

/** Strangers at once. */
const STRANGERS = 6;
/** Between two attacks of one of them. */
const REST_MS = 50;
/** Players of each stream that read nothing, and as many that read a little now and then. */
const SLOW = 3;
const SIP_EVERY_MS = 500;

/**
 * Resolves when they have gone. How many attacks there were depends on how fast the node answers; which ones, on the seed.
 * @param attacks that are made
 */
export async function strangers(
  { host, rtmpPort, httpPort, meshPort }: NodeProcess,
  attacks: Attacks,
  { seed, forMs }: { readonly seed: number; readonly forMs: number },
): Promise<void> {
  const doors: AttackedDoors = { host, rtmpPort, httpPort, meshPort };
  const untilMs = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: STRANGERS }, async (_, at) => {
      const chance = new Chance(seed + at);
      while (performance.now() < untilMs) {
        await attack(doors, attacks.draw(chance), chance);
        await delay(REST_MS);
      }
    }),
  );
}

/** Resolves when they have gone. */
export async function slowPlayers(
  { host, httpPort }: NodeProcess,
  streams: readonly string[],
  forMs: number,
): Promise<void> {
  const sockets = streams.flatMap((key) =>
    Array.from({ length: 2 * SLOW }, () => {
      const socket = connect({ host, port: httpPort });
      socket.on('error', () => {}); // 'close' follows
      socket.pause();
      socket.write(`GET /${key}.flv HTTP/1.1\r\nHost: n\r\n\r\n`);
      return socket;
    }),
  );
  const sippers = sockets.filter((_, at) => at % 2 === 0);
  const timer = setInterval(() => {
    for (const socket of sippers) socket.read(1);
  }, SIP_EVERY_MS);
  await delay(forMs);
  clearInterval(timer);
  for (const socket of sockets) socket.destroy();
}
