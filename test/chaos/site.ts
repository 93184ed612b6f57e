// Where chaos happens: five nodes as processes of their own, Redis with a replica and sentinels, the ways between them, and
// what can be done to each. It does what it is told and judges nothing.
import type { Redis } from 'ioredis';
import type { NodeProcess } from '../support/node-process.ts';

/**
 * How bytes are kept from passing. `swallow`: connections stay open, and nothing comes or is told of; `reset`: they are cut,
 * and new ones are refused.
 */
export type CutHow = 'swallow' | 'reset';

/** How Redis's master goes: killed, or it stands still; its place is taken by the replica. */
export type FailoverHow = 'kill' | 'pause';

export interface Site extends AsyncDisposable {
  /** What the ways between nodes are made of. */
  readonly network: 'namespaces' | 'proxies';
  /** Of the nodes, in order: `a` to `e`. */
  readonly ids: readonly string[];
  /** Kinds of faults that cannot be done here, and why; all others can. */
  readonly missing: readonly { readonly fault: 'clock' | 'squeeze'; readonly why: string }[];

  /** Its doors are where it says: `host`, `rtmpPort`, `httpPort`; ports may be others after each start. */
  node(id: string): NodeProcess;
  /** Starts a node that was killed, under its id; resolves when it listens. */
  start(id: string): Promise<void>;
  /** kill -9. */
  kill(id: string): Promise<void>;
  /** SIGSTOP, SIGCONT. */
  pause(id: string): void;
  resume(id: string): void;
  /** Its event loop does nothing else for so long. */
  stall(id: string, ms: number): void;
  /** Its wall clock, and no other, is so much ahead of the right one, from at most 1 s later on; below 0: behind; 0: right. */
  setClock(id: string, aheadMs: number): void;
  /** Its control group is nearly out of memory until `release`: a neighbour takes all but a few MiB. */
  squeeze(id: string): Promise<void>;
  release(id: string): Promise<void>;

  /** Between two nodes, in both directions; a cut stays until it is mended. */
  cut(one: string, other: string, how: CutHow): Promise<void>;
  mend(one: string, other: string): Promise<void>;
  /** Between a node and all of Redis, sentinels included. */
  cutRedis(id: string, how: CutHow): Promise<void>;
  mendRedis(id: string): Promise<void>;

  /** FLUSHALL at the master. */
  wipeRedis(): Promise<void>;
  /**
   * Resolves once the replica is the master; the former master is brought back as its replica by `healRedis`. One that stood
   * still takes itself for the master until the sentinels tell it otherwise, some 3 s later.
   * @throws Error when it was not healed since the last time
   */
  failRedisOver(how: FailoverHow): Promise<void>;
  /** Resolves once Redis has a master, and a replica in step with it. */
  healRedis(): Promise<void>;
  /** A connection to the master of now, for looking. */
  readonly redis: Redis;
}
