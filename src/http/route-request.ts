// What the doors ask of routing, and what they get: types only. The answers are made in node/.
import type { StreamKey } from '../base/stream-key.ts';
import type { Considered, Filtered } from '../routing/choose.ts';
import type { Place } from '../routing/node-view.ts';

/** How somebody wants to play or publish. */
export type RouteProtocol = 'http-flv' | 'ws-flv' | 'rtmp';

/** One who asks for a node. */
export interface RouteRequest {
  readonly kind: 'play' | 'publish';
  readonly key: StreamKey;
  readonly protocol: RouteProtocol;
  /** Where it is, as far as anybody knows. */
  readonly place: Place;
  /** By which addresses it reaches nodes: those for everybody, or those within the cluster's own network. */
  readonly network: 'public' | 'internal';
  /** Its own name for itself: who comes back with it goes to the same node, if that is fine. */
  readonly session: string | undefined;
}

export interface RouteAnswer {
  /** Undefined: no node is left. */
  readonly node: string | undefined;
  /** Ready to use, without a query; undefined without a node. */
  readonly url: string | undefined;
  /** Next best first. */
  readonly alternatives: readonly { readonly node: string; readonly url: string }[];
  /** In one line, for people. */
  readonly why: string;
  readonly considered: readonly Considered[];
  readonly filtered: readonly Filtered[];
}

export interface RouteNeeds {
  /** Chooses a node. The first time a stream is asked for it may wait for one lookup, which all share. Never rejects. */
  route(request: RouteRequest): Promise<RouteAnswer>;
  /**
   * Where a play that came to this node had better go, as a URL without a query; undefined: it is served here. Asks
   * nobody, and waits for nothing.
   */
  redirect(request: RouteRequest): string | undefined;
}
