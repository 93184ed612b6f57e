// The traffic of this node: who carries bytes is given a count for them; what was carried is told with the configured prices
// as cost.
import type { ByteCount } from '../base/byte-count.ts';
import type { Clock } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { NodeAnswers } from '../http/forms/questions.ts';
import { protocol as playerProtocol } from '../http/forms/sessions.ts';
import type { TrafficRow } from '../http/forms/traffic.ts';
import { counter, type MetricFamily, type MetricSample } from '../observe/metrics.ts';
import { NamedStreams } from '../observe/named-streams.ts';
import { TrafficLedger, type TrafficSum } from '../observe/traffic-ledger.ts';
import type { Prices } from '../routing/prices.ts';

export interface TrafficOptions {
  /** This node, and its region. */
  readonly node: string;
  readonly region: string;
  /** Streams that metrics name. */
  readonly maxNamed: number;
}

export interface TrafficNeeds {
  readonly clock: Clock;
  readonly prices: () => Pick<Prices, 'of'>;
  readonly isHere: (key: StreamKey) => boolean;
}

interface Weighed {
  readonly sum: TrafficSum;
  readonly windowBytes: number;
}

/** Prices are for so many bytes. */
const GIGABYTE = 1e9;

export class Traffic {
  readonly #options: TrafficOptions;
  readonly #prices: TrafficNeeds['prices'];
  readonly #ledger: TrafficLedger;
  readonly #named: NamedStreams;

  constructor(options: TrafficOptions, { clock, prices, isHere }: TrafficNeeds) {
    this.#options = options;
    this.#prices = prices;
    this.#ledger = new TrafficLedger({ clock, isHere });
    this.#named = new NamedStreams(options.maxNamed);
  }

  start(): void {
    this.#ledger.start();
  }

  stop(): void {
    this.#ledger.stop();
  }

  /** Of what players of a format are given. */
  readonly toPlayers = (key: StreamKey, format: string): ByteCount =>
    this.#ledger.of(key, { protocol: playerProtocol.parse(format), direction: 'out', region: null });

  readonly fromPublishers = (key: StreamKey, protocol: 'rtmp' | 'http-flv'): ByteCount =>
    this.#ledger.of(key, { protocol, direction: 'in', region: null });

  /** @param region of the other node; empty: it has none, or nobody knows */
  toNode(key: StreamKey, region: string): ByteCount {
    return this.#ledger.of(key, { protocol: 'mesh', direction: 'out', region });
  }

  fromNode(key: StreamKey, region: string): ByteCount {
    return this.#ledger.of(key, { protocol: 'mesh', direction: 'in', region });
  }

  /** What most was carried of in the window first. */
  readonly list: NodeAnswers['traffic'] = ({ stream, limit }) => {
    const sums: Weighed[] = [];
    for (const sum of this.#ledger.sums()) {
      if (stream === undefined || sum.stream === stream) sums.push({ sum, windowBytes: sum.windowBytes });
    }
    sums.sort((a, b) => b.windowBytes - a.windowBytes);
    return { total: sums.length, rows: this.#rows(sums.slice(0, limit)) };
  };

  get tables(): Table[] {
    return [this.#ledger.table];
  }

  metrics(): MetricFamily[] {
    const toPlayers = new Map<string, number>();
    const fromPublishers = new Map<string, number>();
    const mesh = new Map<
      string,
      { readonly direction: 'in' | 'out'; readonly region: string; value: number }
    >();
    const costs = new Map<string, number>();
    const sent = new Map<StreamKey, number>();
    let totalSent = 0;
    for (const { stream, protocol, direction, region, bytes } of this.#ledger.sums()) {
      if (direction === 'out') {
        totalSent += bytes;
        if (stream !== null) add(sent, stream, bytes);
      }
      if (region === null) add(direction === 'out' ? toPlayers : fromPublishers, protocol, bytes);
      else {
        const series = mesh.get(`${direction} ${region}`) ?? { direction, region, value: 0 };
        series.value += bytes;
        mesh.set(`${direction} ${region}`, series);
        if (direction === 'out') add(costs, region, this.#cost(region, bytes));
      }
    }
    return [
      counter(
        'tideway_player_bytes_total',
        'Media given to players, with its framing, by protocol.',
        samplesOf(toPlayers, 'protocol'),
      ),
      counter(
        'tideway_publisher_bytes_total',
        'Media taken from publishers, by protocol.',
        samplesOf(fromPublishers, 'protocol'),
      ),
      counter(
        'tideway_mesh_media_bytes_total',
        'Media to and from other nodes, with its framing, by their region.',
        [...mesh.values()].map(({ direction, region, value }) => ({ labels: { direction, region }, value })),
      ),
      counter(
        'tideway_traffic_cost_total',
        'What media to other nodes cost by routing.prices, by their region.',
        samplesOf(costs, 'region'),
      ),
      counter(
        'tideway_stream_sent_bytes_total',
        'Media of a stream to players and other nodes; of streams beyond metrics.streams all together.',
        this.#named.samples(sent, totalSent),
      ),
    ];
  }

  *#rows(sums: readonly Weighed[]): Generator<TrafficRow> {
    const { node, region: ownRegion } = this.#options;
    for (const { sum } of sums) {
      const { stream, protocol, direction, region, bytes, windowBytes } = sum;
      const isPaid = direction === 'out' && region !== null;
      yield {
        ...{ node, stream, protocol, direction, region, ownRegion, bytes, windowBytes },
        cost: isPaid ? this.#cost(region, bytes) : 0,
        windowCost: isPaid ? this.#cost(region, windowBytes) : 0,
      };
    }
  }

  #cost(to: string, bytes: number): number {
    return (this.#prices().of(this.#options.region, to) * bytes) / GIGABYTE;
  }
}

function add<K>(sums: Map<K, number>, key: K, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

function samplesOf(sums: ReadonlyMap<string, number>, label: string): MetricSample[] {
  return [...sums].map(([name, value]) => ({ labels: { [label]: name }, value }));
}
