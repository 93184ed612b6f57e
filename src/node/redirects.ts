// Players that came to a door of this node and had better go to another: asked of routing, counted and logged.
import { hostOf, isLoopback, isPrivate } from '../base/address.ts';
import type { Log } from '../base/log.ts';
import { type Arrival, sentOnUrl, wasSentHere } from '../base/redirect.ts';
import type { SentOn } from '../http/route-api.ts';
import type { RouteNeeds } from '../http/route-request.ts';
import { counter, type MetricFamily } from '../observe/metrics.ts';
import type { PlaceFinder } from '../routing/place.ts';
import { MAX_SESSION_CHARS } from '../routing/sessions.ts';

export interface RedirectsNeeds extends Pick<RouteNeeds, 'redirect'> {
  readonly log: Log;
  readonly places: Pick<PlaceFinder, 'ofPlayer'>;
}

/** `route`: `/route/` of the HTTP server, which serves nobody itself. */
type Door = Arrival['protocol'] | SentOn['door'];

export class Redirects {
  readonly #needs: RedirectsNeeds;
  readonly #counts: Record<Door, number> = { 'http-flv': 0, 'ws-flv': 0, rtmp: 0, route: 0 };

  constructor(needs: RedirectsNeeds) {
    this.#needs = needs;
  }

  /** Where the player had better go, as a URL with all that it needs; undefined: it is served here. */
  readonly of = ({ key, protocol, query, headers, remote, session: id }: Arrival): string | undefined => {
    if (wasSentHere(query)) return undefined;
    const session = query.get('session') ?? '';
    const url = this.#needs.redirect({
      ...{ kind: 'play', key, protocol },
      place: this.#needs.places.ofPlayer({ query, headers, address: hostOf(remote) }),
      network: query.get('network') === 'internal' ? 'internal' : 'public',
      session: session === '' || session.length > MAX_SESSION_CHARS ? undefined : session,
    });
    if (url === undefined || !reaches(remote, url)) return undefined;
    this.sent({ key, door: protocol, remote, session: id, url });
    return sentOnUrl(url, { query, session: id });
  };

  /** A player was sent to the node at `url`. */
  readonly sent = ({
    key,
    door,
    remote,
    session,
    url,
  }: Omit<SentOn, 'door'> & { readonly door: Door }): void => {
    this.#counts[door] += 1;
    const { host } = new URL(url);
    this.#needs.log.info({ stream: key, session, door, remote, to: host }, 'play.redirected');
  };

  metrics(): MetricFamily[] {
    const samples = Object.entries(this.#counts).map(([door, value]) => ({ labels: { door }, value }));
    return [counter('tideway_redirects_total', 'Players that were sent to another node, by door.', samples)];
  }
}

/**
 * Can it be reached from there? What a node tells of itself may be its loopback address, one of a network that the player
 * is not in, or none at all.
 */
function reaches(remote: string, url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  const from = hostOf(remote);
  if (isLoopback(hostname)) return isLoopback(from);
  return !isPrivate(hostname) || isPrivate(from) || isLoopback(from);
}
