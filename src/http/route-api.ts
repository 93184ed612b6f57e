// Which node to go to: `/api/v1/route/play` and `/api/v1/route/publish` tell it as JSON, `/route/app/name.flv` sends
// players there. The node is chosen behind a narrow interface.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { z } from 'zod';
import { TidewayError } from '../base/errors.ts';
import { addressOfRequest, remoteOfRequest } from '../base/marked-request.ts';
import { redirectResponse, redirectSocket, sentOnUrl, withQuery } from '../base/redirect.ts';
import type { SessionOf } from '../base/session-id.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import type { FoundPlace, PlaceFinder } from '../routing/place.ts';
import { ProblemError } from './answer.ts';
import { type AskedOf, askerQuery, type Handlers } from './api-operations.ts';
import { readQuery } from './api-query.ts';
import type { Told } from './forms/common.ts';
import type { RouteDocument } from './forms/routes.ts';
import type { Route, UpgradeRoute } from './route.ts';
import type { RouteAnswer, RouteNeeds, RouteProtocol, RouteRequest } from './route-request.ts';

export interface RouteApiNeeds extends Pick<RouteNeeds, 'route'> {
  readonly places: Pick<PlaceFinder, 'find' | 'ofPlayer'>;
  /** A player of `/route/` was sent on. */
  readonly sent: (to: SentOn) => void;
  readonly sessionOf: SessionOf;
}

/** A player that was sent to a node. */
export interface SentOn {
  readonly key: StreamKey;
  readonly door: 'route';
  /** "address:port" of the player. */
  readonly remote: string;
  /** The id of its session, which it goes on with there. */
  readonly session: string;
  readonly url: string;
}

const TTL_SECONDS = 5;
/** Of the query of `/route/`, these are for the node that is asked; all others are for the one that is chosen. */
const OWN_PARAMETERS = ['region', 'zone', 'network', 'protocol', 'stream'] as const;
const PLAYER_PATH = /^\/route\/([^/]+)\/([^/]+)\.flv$/;

/** What tells players and publishers their node. */
export function routeHandlers(needs: RouteApiNeeds): Pick<Handlers, 'routePlay' | 'routePublish'> {
  const tell = async (
    kind: RouteRequest['kind'],
    { request, parameters, query }: AskedOf<'routePlay'> | AskedOf<'routePublish'>,
  ) => {
    const { stream: key, protocol } = query;
    const asker = askerOf(query, { request, parameters }, (clues) => needs.places.find(clues));
    const answer = await needs.route({ kind, key, protocol, ...asker });
    return { status: 200, document: documentOf(answer, asker) } as const;
  };
  return {
    routePlay: (asked) => tell('play', asked),
    routePublish: (asked) => tell('publish', asked),
  };
}

/** `/route/app/name.flv`, for everybody. */
export function playerRoute(needs: RouteApiNeeds): Route {
  return {
    methods: ['GET', 'HEAD'],
    matches: (path) => PLAYER_PATH.test(path),
    handle: async (request, response, url) => {
      const location = await locate(request, url, 'http-flv', needs);
      if (!response.destroyed) redirectResponse(response, location);
    },
  };
}

/** `/route/app/name.flv` of WS-FLV players. */
export function routeUpgrade(needs: RouteApiNeeds): UpgradeRoute {
  return {
    matches: (path) => PLAYER_PATH.test(path),
    upgrade: async (request, socket: Socket, _head, url) => {
      const location = await locate(request, url, 'ws-flv', needs);
      if (!socket.destroyed) redirectSocket(socket, location);
    },
  };
}

/**
 * Where a player is sent.
 * @throws TidewayError `stream-key.*`, `route.*`; why a node was not chosen is for operators
 */
async function locate(
  request: IncomingMessage,
  { pathname, searchParams }: URL,
  protocol: RouteProtocol,
  { route, places, sent, sessionOf }: RouteApiNeeds,
): Promise<string> {
  const [, app = '', name = ''] = PLAYER_PATH.exec(pathname) ?? [];
  const key = parseStreamKey(app, name);
  const remote = remoteOfRequest(request);
  const own = readQuery(ownOf(searchParams), askerQuery);
  const asker = askerOf(own, { request, parameters: searchParams }, (clues) => places.ofPlayer(clues));
  const { url } = await route({ kind: 'play', key, protocol, ...asker });
  if (url === undefined) {
    throw new TidewayError('route.no-node', 'no node can take a player now: try again in a moment');
  }
  const kept = new URLSearchParams(searchParams);
  for (const name of OWN_PARAMETERS) kept.delete(name);
  const session = sessionOf(searchParams);
  sent({ key, door: 'route', remote, session, url });
  return sentOnUrl(url, { query: kept, session });
}

/** @throws TidewayError `route.no-node` */
function documentOf(
  { node, url, alternatives, why, considered, filtered }: RouteAnswer,
  { session, place }: Asker,
): Told<RouteDocument> {
  if (node === undefined || url === undefined) throw new ProblemError('route.no-node', why, { filtered });
  const ready = (of: string) =>
    session === undefined ? of : withQuery(of, new URLSearchParams({ session }));
  return {
    node,
    url: ready(url),
    alternatives: alternatives.map((other) => ({ node: other.node, url: ready(other.url) })),
    ttlSeconds: TTL_SECONDS,
    session: session ?? null,
    place,
    why,
    considered,
    filtered,
  };
}

/** Who asks. */
interface Asker extends Pick<RouteRequest, 'network' | 'session'> {
  readonly place: FoundPlace;
}

/** @throws TidewayError `route.place` */
function askerOf(
  { region, zone, network, session }: Told<z.output<typeof askerQuery>>,
  { request, parameters }: { readonly request: IncomingMessage; readonly parameters: URLSearchParams },
  find: PlaceFinder['find'],
): Asker {
  if (zone !== undefined && region === undefined) {
    throw new TidewayError('route.place', 'a zone is one of a region: give region, too');
  }
  const { headers } = request;
  const place = find({ query: parameters, headers, address: addressOfRequest(request) });
  return { place, network, session };
}

/** What of a player's query says who it is; all else is for the node that it is sent to. */
function ownOf(query: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => Object.hasOwn(askerQuery.shape, name)));
}
