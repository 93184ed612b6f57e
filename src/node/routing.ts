// Routing at this node: its router fed with the nodes as the registry tells them, and its answers as URLs that players
// and publishers can use.
import { isSecure, plainAddress } from '../base/address.ts';
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Config } from '../config/schema.ts';
import type { RouteAnswer, RouteNeeds, RouteRequest } from '../http/route-request.ts';
import type { NodeRecord, NodeSeen } from '../registry/registry.ts';
import { Decisions } from '../routing/decisions.ts';
import type { Place } from '../routing/node-view.ts';
import { Prices } from '../routing/prices.ts';
import { type RouteAsk, type Routed, Router } from '../routing/router.ts';
import type { StreamHolders } from './stream-holders.ts';

export interface NodeRoutingNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly holders: Pick<StreamHolders, 'now' | 'of'>;
  /** This node, as its beats tell of it. */
  readonly self: () => NodeRecord;
  /** The other nodes that beat. */
  readonly others: () => readonly NodeSeen[];
  /** Does the registry answer? */
  readonly isRegistryUp: () => boolean;
  /** Is there an open link to the node? */
  readonly isLinked: (node: string) => boolean;
}

/** How old the snapshot that decisions read gets. */
const REFRESH_MS = 500;
/** Zones that were complained of. */
const MAX_COMPLAINTS = 100;

export class NodeRouting implements RouteNeeds {
  readonly decisions: Decisions;
  readonly router: Router;
  readonly prices: Prices;
  readonly #redirects: Config['route']['redirect'];
  readonly #self: string;
  readonly #place: Place;
  readonly #needs: NodeRoutingNeeds;
  /** As they were told last, this node's own among them: bounded by what the registry lists. */
  #records = new Map<string, NodeRecord>();
  readonly #complained = new Set<string>();
  #timer: Timer | undefined;

  constructor({ node, routing, route }: Pick<Config, 'node' | 'routing' | 'route'>, needs: NodeRoutingNeeds) {
    const { clock, version } = needs;
    this.#needs = needs;
    this.#redirects = route.redirect;
    this.#self = node.id;
    this.#place = { region: node.region, zone: node.zone };
    this.prices = new Prices(routing.prices);
    this.decisions = new Decisions(() => clock.wallMs());
    const { weights, limits } = routing;
    this.router = new Router(
      {
        self: node.id,
        weights,
        limits: { ...limits, players: limits.players },
        prices: this.prices,
        version,
      },
      { clock, random: Math.random, decisions: this.decisions },
    );
  }

  get tables(): Table[] {
    const complaints = { table: 'zone_complaints', entries: this.#complained.size, limit: MAX_COMPLAINTS };
    return [...this.router.tables, this.prices.table, complaints];
  }

  /** Begins to follow the nodes. */
  start(): void {
    this.refresh();
    this.#timer = every(this.#needs.clock, REFRESH_MS, () => this.refresh());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Takes the nodes as they are now. */
  refresh(): void {
    const { self, others, isRegistryUp, isLinked } = this.#needs;
    const records = new Map<string, NodeRecord>();
    // While nobody tells who beats, those that were there and are linked still are.
    if (!isRegistryUp()) {
      for (const [node, record] of this.#records) if (isLinked(node)) records.set(node, record);
    }
    for (const { record } of others()) records.set(record.node, record);
    const own = self();
    records.set(own.node, own);
    this.#records = records;
    this.#checkZones();
    this.router.setNodes([...records.values()]);
  }

  async route(request: RouteRequest): Promise<RouteAnswer> {
    const holders = await this.#needs.holders.of(request.key);
    return this.#answer(request, this.router.route(this.#ask(request, { kind: request.kind, holders })));
  }

  redirect(request: RouteRequest): string | undefined {
    const { session } = request;
    const to = this.#redirectTo(request);
    if (to === undefined && session !== undefined) this.router.tookIn(session);
    return to;
  }

  /** "host:port", or "rtmps://host:port", of the node where a publisher of this one had better go on; undefined: no node is left. */
  reconnectTo(key: StreamKey): string | undefined {
    const { node } = this.router.route({
      ...this.#ask(
        { kind: 'publish', key, protocol: 'rtmp', network: 'public', place: this.#place, session: undefined },
        { kind: 'reconnect', holders: this.#needs.holders.now(key) },
      ),
      except: new Set([this.#self]),
    });
    return node === undefined ? undefined : this.#records.get(node)?.rtmp;
  }

  /** A node that is to have a stream ready, of the region, or of any; undefined: none is left. */
  chooseFor(key: StreamKey, region: string | undefined, except: ReadonlySet<string>): string | undefined {
    return this.router.route({
      ...{ kind: 'preload', stream: key, place: { region: region ?? '', zone: '' }, session: undefined },
      ...{ holders: undefined, bytesPerS: undefined, door: undefined, except },
      ...(region !== undefined && { region }),
    }).node;
  }

  #redirectTo(request: RouteRequest): string | undefined {
    const isOver = this.router.ownLimit() !== undefined;
    // Most RTMP players follow no redirect: one that could be served here is not lost for a better place.
    const isLookedFor = this.#redirects === 'always' && request.protocol !== 'rtmp';
    if (this.#redirects === 'never' || !(isOver || isLookedFor)) return undefined;
    const holders = this.#needs.holders.now(request.key);
    const ask = this.#ask(request, { kind: 'redirect', holders });
    const routed = this.router.route({ ...ask, at: this.#self });
    return routed.node === this.#self ? undefined : this.#answer(request, routed).url;
  }

  #ask(request: RouteRequest, { kind, holders }: Pick<RouteAsk, 'kind' | 'holders'>): RouteAsk {
    const { key, place, session } = request;
    const door = request.protocol === 'rtmp' ? 'rtmp' : 'http';
    return { kind, stream: key, place, holders, door, session, bytesPerS: undefined };
  }

  #answer(request: RouteRequest, { node, alternatives, why, choice }: Routed): RouteAnswer {
    const { considered, filtered } = choice;
    const isUnknown = request.place.region !== '' && !this.router.view.hasRegion(request.place.region);
    return {
      ...{ node, considered, filtered },
      url: node === undefined ? undefined : this.#url(node, request),
      alternatives: alternatives.map((other) => ({ node: other, url: this.#url(other, request) })),
      why: isUnknown ? `${why}; no node is in region ${request.place.region}` : why,
    };
  }

  #url(node: string, request: RouteRequest): string {
    const { key, protocol } = request;
    const told = this.#addressOf(node, request);
    const address = plainAddress(told);
    const s = isSecure(told) ? 's' : '';
    switch (protocol) {
      case 'http-flv':
        return `http${s}://${address}/${key}.flv`;
      case 'ws-flv':
        return `ws${s}://${address}/${key}.flv`;
      case 'rtmp':
        return `rtmp${s}://${address}/${key}`;
    }
  }

  /** "host:port" of a door, with a scheme where it speaks TLS; '' if it is shut. */
  #addressOf(node: string, { protocol, network }: Pick<RouteRequest, 'protocol' | 'network'>): string {
    const record = this.#records.get(node);
    if (!record) return '';
    const isInternal = network === 'internal';
    if (protocol === 'rtmp') return (isInternal && record.rtmpInternal) || record.rtmp;
    return (isInternal && record.httpInternal) || record.http;
  }

  /** A zone is of one region: nodes that contradict each other would be taken for near when they are far. */
  #checkZones(): void {
    const regions = new Map<string, NodeRecord>();
    for (const record of this.#records.values()) {
      if (record.zone === '' || this.#complained.has(record.zone)) continue;
      const other = regions.get(record.zone);
      regions.set(record.zone, record);
      if (!other || other.region === record.region || this.#complained.size >= MAX_COMPLAINTS) continue;
      this.#complained.add(record.zone);
      const detail = `zone ${record.zone} is of region ${other.region} at ${other.node}, and of ${record.region} at ${record.node}: a zone is of one region`;
      this.#needs.log.warn({ zone: record.zone, detail }, 'routing.labels-conflict');
    }
  }
}
