// The cluster as JSON: `/api/v1/nodes` and `/api/v1/streams`. What is answered comes from a narrow interface; who may
// ask is api-access.ts's.
import { answerJson } from './answer.ts';
import { ApiAccess } from './api-access.ts';
import { limitIn } from './api-query.ts';
import type { Route } from './route.ts';

/** Rows of `/api/v1/streams` without `?limit=`. */
export const DEFAULT_LIMIT = 1_000;
export const MAX_LIMIT = 10_000;

/** How an answer came about. */
export interface Envelope {
  /** The node that answers. */
  readonly node: string;
  /** `away`: the registry does not answer, and what follows is what this node itself knows. */
  readonly registry: 'up' | 'away';
  /** When it was so: ISO 8601, by the registry's clock where that is known. */
  readonly asOf: string;
}

/** A link between the node that answers and another. Times in ms, null before the first sample. */
export interface LinkRow {
  readonly rttMs: number | null;
  readonly rttDevMs: number | null;
  /** The other's monotonic clock minus ours. */
  readonly offsetMs: number | null;
  /** Of the other's heartbeats of the last 10 s, the part that did not come in time, 0 to 1. */
  readonly lossShare: number | null;
  /** From and to the other, smoothed over some seconds. */
  readonly receivedBytesPerS: number | null;
  readonly sentBytesPerS: number | null;
  /** The node that dialled it. */
  readonly dialledBy: string;
}

export interface LoadRow {
  /** Of the container or the host, 0 to 1. */
  readonly cpu: number;
  readonly memory: number;
  /** Part of its time in which the event loop was busy, 0 to 1. */
  readonly loopBusy: number;
  readonly loopLagMs: number;
  readonly sentBytesPerS: number;
  readonly receivedBytesPerS: number;
  /** What it may send; 0: nobody knows. */
  readonly capacityBytesPerS: number;
  readonly players: number;
  readonly publishers: number;
  readonly streams: number;
}

export interface NodeRow {
  readonly node: string;
  readonly boot: string;
  readonly host: string;
  readonly version: string;
  readonly region: string;
  readonly zone: string;
  readonly tags: readonly string[];
  readonly draining: boolean;
  /** "host:port" for other nodes, best first. */
  readonly mesh: readonly string[];
  /** "host:port" for publishers and players; empty where that door is shut. */
  readonly rtmp: string;
  readonly http: string;
  /** For those within the cluster's network; empty where that is no other. */
  readonly rtmpInternal: string;
  readonly httpInternal: string;
  readonly load: LoadRow;
  /** Its median round trip to other regions, ms. */
  readonly rttMs: Readonly<Record<string, number>>;
  /** How long its last beat counts yet; 0: known from before, and silent; null: the node that answers. */
  readonly leaseMs: number | null;
  /** The node that answers. */
  readonly self: boolean;
  /** Between it and the node that answers; null without one. */
  readonly link: LinkRow | null;
}

export interface OriginRow {
  readonly node: string;
  readonly epoch: number;
  readonly state: 'live' | 'held';
  /** Why it was claimed; null where only the registry would know. */
  readonly reason: 'publish' | 'failover' | null;
  /** When it was claimed, ISO 8601; null where only the registry would know. */
  readonly since: string | null;
}

export interface ReplicaRow {
  readonly node: string;
  /** Links between it and the origin. */
  readonly hops: number;
  /** The node that it pulls from. */
  readonly upstream: string;
  readonly epoch: number;
}

/** A stream as the node that answers has it. */
export interface HereRow {
  readonly role: 'origin' | 'replica' | 'backup';
  readonly state: 'live' | 'held';
  readonly epoch: number;
  /** 0 at the origin; null while it has no way to one. */
  readonly hops: number | null;
  readonly upstream: string | null;
  /** Node ids from the origin to the node itself. */
  readonly path: readonly string[];
  readonly players: number;
  /** Nodes that pull from it. */
  readonly children: number;
  /** The node that it would switch to. */
  readonly standby: string | null;
}

export interface StreamRow {
  readonly key: string;
  readonly origin: OriginRow | null;
  readonly replicas: readonly ReplicaRow[];
  /** Where a second publisher stands by. */
  readonly backup: { readonly node: string } | null;
  readonly here: HereRow | null;
}

export interface NodesAnswer extends Envelope {
  readonly nodes: readonly NodeRow[];
}

export interface StreamsAnswer extends Envelope {
  readonly limit: number;
  /** There are more than were listed. */
  readonly truncated: boolean;
  readonly streams: readonly StreamRow[];
}

export interface ClusterNeeds {
  nodes(): Promise<NodesAnswer>;
  /** @param limit rows, 1 to MAX_LIMIT */
  streams(limit: number): Promise<StreamsAnswer>;
}

/**
 * The routes of the API, for this machine and for who has the token.
 * @param options.token of `api.token`
 */
export function clusterRoutes(options: { token: string | undefined }, needs: ClusterNeeds): Route[] {
  const access = new ApiAccess(options);
  const get = (path: string, answer: (url: URL) => Promise<unknown>): Route =>
    access.guard({
      methods: ['GET', 'HEAD'],
      matches: (asked) => asked === path,
      handle: async (_request, response, url) => answerJson(response, 200, await answer(url)),
    });
  return [
    get('/api/v1/nodes', () => needs.nodes()),
    get('/api/v1/streams', (url) =>
      needs.streams(limitIn(url.searchParams, { usual: DEFAULT_LIMIT, most: MAX_LIMIT })),
    ),
  ];
}
