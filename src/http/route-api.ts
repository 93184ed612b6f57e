// Which node to go to: `/api/v1/route/play` and `/api/v1/route/publish` tell it as JSON, `/route/app/name.flv` sends
// players there. The node is chosen behind a narrow interface.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TidewayError } from '../base/errors.ts';
import { isLabel } from '../base/label.ts';
import { redirectResponse, redirectSocket, sentOnUrl, withQuery } from '../base/redirect.ts';
import { remoteOf } from '../base/remote.ts';
import type { SessionOf } from '../base/session-id.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import type { Considered, Filtered } from '../routing/choose.ts';
import type { FoundPlace, PlaceFinder } from '../routing/place.ts';
import { MAX_SESSION_CHARS } from '../routing/sessions.ts';
import { answerJson, ProblemError } from './answer.ts';
import { ApiAccess } from './api-access.ts';
import { streamIn, valueIn } from './api-query.ts';
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

/** What `/api/v1/route/…` answers. */
export interface RouteDocument {
  /** The node that was chosen. */
  readonly node: string;
  /** The stream there, ready to use but for the query that this cluster asks of its publishers. */
  readonly url: string;
  /** Next best first. */
  readonly alternatives: readonly { readonly node: string; readonly url: string }[];
  /** How long the answer is worth using. */
  readonly ttlSeconds: number;
  /** As it was given; it is in the URLs, too. */
  readonly session: string | null;
  /** Where who asks was taken to be; both empty if nobody knows. */
  readonly place: FoundPlace;
  /** In one line, for people. */
  readonly why: string;
  readonly considered: readonly Considered[];
  readonly filtered: readonly Filtered[];
}

const TTL_SECONDS = 5;
const PLAY_PROTOCOLS: readonly RouteProtocol[] = ['http-flv', 'ws-flv', 'rtmp'];
const PUBLISH_PROTOCOLS: readonly RouteProtocol[] = ['rtmp', 'http-flv'];
/** Of the query of `/route/`, these are for the node that is asked; all others are for the one that is chosen. */
const OWN_PARAMETERS = ['region', 'zone', 'network', 'protocol', 'stream'] as const;
const PLAYER_PATH = /^\/route\/([^/]+)\/([^/]+)\.flv$/;

/**
 * The routes of the API, for this machine and for who has the token, and `/route/`, for everybody.
 * @param options.token of `api.token`
 */
export function routeRoutes(options: { token: string | undefined }, needs: RouteApiNeeds): Route[] {
  const access = new ApiAccess(options);
  const tell = (kind: RouteRequest['kind'], protocols: readonly RouteProtocol[]): Route =>
    access.guard({
      methods: ['GET', 'HEAD'],
      matches: (asked) => asked === `/api/v1/route/${kind}`,
      handle: async (request, response, { searchParams }) => {
        const key = streamIn(searchParams);
        if (key === undefined) throw new TidewayError('route.stream', 'which stream? stream=app/name');
        const protocol = protocolIn(searchParams, protocols);
        const asker = askerOf(request, searchParams, (clues) => needs.places.find(clues));
        const answer = await needs.route({ kind, key, protocol, ...asker });
        answerJson(response, 200, documentOf(answer, asker));
      },
    });
  return [tell('play', PLAY_PROTOCOLS), tell('publish', PUBLISH_PROTOCOLS), new PlayerRoute(needs)];
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

/** `/route/app/name.flv` of HTTP-FLV players. */
class PlayerRoute implements Route {
  readonly methods = ['GET', 'HEAD'];
  readonly #needs: RouteApiNeeds;

  constructor(needs: RouteApiNeeds) {
    this.#needs = needs;
  }

  matches(path: string): boolean {
    return PLAYER_PATH.test(path);
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const location = await locate(request, url, 'http-flv', this.#needs);
    if (!response.destroyed) redirectResponse(response, location);
  }
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
  const remote = remoteOf(request.socket);
  const { url } = await route({
    ...{ kind: 'play', key, protocol },
    ...askerOf(request, searchParams, (clues) => places.ofPlayer(clues)),
  });
  if (url === undefined) {
    throw new TidewayError('route.no-node', 'no node can take a player now: try again in a moment');
  }
  const kept = new URLSearchParams(searchParams);
  for (const own of OWN_PARAMETERS) kept.delete(own);
  const session = sessionOf(searchParams);
  sent({ key, door: 'route', remote, session, url });
  return sentOnUrl(url, { query: kept, session });
}

/** @throws TidewayError `route.no-node` */
function documentOf(
  { node, url, alternatives, why, considered, filtered }: RouteAnswer,
  { session, place }: Asker,
): RouteDocument {
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

/** @throws TidewayError `route.place`, `route.network`, `route.session`, `route.repeated` */
function askerOf(
  { headers, socket }: IncomingMessage,
  query: URLSearchParams,
  find: PlaceFinder['find'],
): Asker {
  const region = labelIn(query, 'region');
  const zone = labelIn(query, 'zone');
  if (zone !== undefined && region === undefined) {
    throw new TidewayError('route.place', 'a zone is one of a region: give region, too');
  }
  const network = valueIn(query, 'network') ?? 'public';
  if (network !== 'public' && network !== 'internal') {
    throw new TidewayError('route.network', 'network is public or internal');
  }
  const place = find({ query, headers, address: socket.remoteAddress });
  return { place, network, session: sessionIn(query) };
}

function labelIn(query: URLSearchParams, name: 'region' | 'zone'): string | undefined {
  const label = valueIn(query, name);
  if (label === undefined || isLabel(label)) return label;
  throw new TidewayError('route.place', `${name} is 1 to 64 of A-Z a-z 0-9 _ . + -`);
}

function sessionIn(query: URLSearchParams): string | undefined {
  const session = valueIn(query, 'session');
  if (session === undefined || (session.length >= 1 && session.length <= MAX_SESSION_CHARS)) return session;
  throw new TidewayError('route.session', `session is 1 to ${MAX_SESSION_CHARS} characters`);
}

function protocolIn(query: URLSearchParams, allowed: readonly RouteProtocol[]): RouteProtocol {
  const given = valueIn(query, 'protocol') ?? allowed[0];
  const protocol = allowed.find((one) => one === given);
  if (protocol !== undefined) return protocol;
  throw new TidewayError('route.protocol', `protocol is ${allowed.join(' or ')}`);
}
