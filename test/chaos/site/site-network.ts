// The ways between the nodes of a site, and between them and Redis: what each kind of them has to do.
import type { NodeProcess, NodeProcessOptions } from '../../support/node-process.ts';
import type { CutHow } from '../site.ts';

/** Where a node runs, and what it has to be told for that. */
export type NodePlace = Pick<NodeProcessOptions, 'host' | 'dialFrom' | 'prefix' | 'settings'>;

export interface SiteNetwork extends AsyncDisposable {
  /** The address that Redis and its sentinels listen on. */
  readonly redisHost: string;

  /**
   * To be told of each Redis and sentinel before nodes start.
   * @param port where it listens, or will
   * @returns the port by which all reach it at `redisHost`
   */
  redisDoor(port: number): Promise<number>;
  placeOf(id: string): NodePlace;
  /** It listens, maybe at other ports than before. */
  listens(node: NodeProcess): void;

  /** Between two nodes, in both directions. */
  cut(one: string, other: string, how: CutHow): Promise<void>;
  mend(one: string, other: string): Promise<void>;
  /** Between a node and each door of Redis. */
  cutRedis(id: string, how: CutHow): Promise<void>;
  mendRedis(id: string): Promise<void>;
}
