// What a node counts, as metric families: read from the plain fields of its parts when somebody asks.
import type { Table } from '../base/table.ts';
import type { HttpServer } from '../http/server.ts';
import { type CodeCounter, counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import type { RtmpServer } from '../rtmp/server.ts';
import { type ClusterSources, clusterMetrics } from './cluster-metrics.ts';
import { DRAIN_STATES, type DrainSummary } from './drain.ts';
import { type LoadSource, loadMetrics } from './load-metrics.ts';
import { type MediaSources, mediaMetrics } from './media-metrics.ts';
import type { Publishing } from './publishing.ts';

export interface MetricSources extends MediaSources {
  readonly version: string;
  /** Id, region and zone. */
  readonly node: { readonly node: string; readonly region: string; readonly zone: string };
  readonly isReady: boolean;
  readonly tables: readonly Table[];
  readonly rtmp: Pick<
    RtmpServer,
    'connections' | 'accepted' | 'turnedAway' | 'bytesIn' | 'bytesOut' | 'reconnectRequests'
  >;
  readonly http:
    | Pick<HttpServer, 'connections' | 'droppedConnections' | 'requests' | 'bytesIn' | 'bytesOut'>
    | undefined;
  readonly drain: DrainSummary;
  readonly publishing: Pick<Publishing, 'opened' | 'claims' | 'standbys' | 'tooFast'>;
  readonly member: Omit<ClusterSources, 'claims'> & { readonly load: LoadSource };
  /** Of the mesh; none for a node alone. */
  readonly mesh: readonly MetricFamily[];
  readonly routing: readonly MetricFamily[];
  /** Of questions to the cluster. */
  readonly ask: readonly MetricFamily[];
  /** Of streams, and their alarms. */
  readonly quality: readonly MetricFamily[];
  readonly sessions: readonly MetricFamily[];
  readonly certificates: readonly MetricFamily[];
  /** Peers told no, by door and code. */
  readonly refusals: { readonly rtmp: CodeCounter; readonly http: CodeCounter };
  /** Connections that broke a wire format, by code. */
  readonly wireErrors: CodeCounter;
}

/** All that `/metrics` tells of the node. */
export function nodeMetrics(sources: MetricSources): MetricFamily[] {
  const { rtmp, http, directory, publishing, budget, refusals, wireErrors } = sources;
  const { registry, membership, replicas } = sources.member;
  const byDoor = (ofRtmp: number, ofHttp = 0) => [
    { labels: { door: 'rtmp' }, value: ofRtmp },
    { labels: { door: 'http' }, value: ofHttp },
  ];
  return [
    gauge('tideway_build_info', 'The version of this node.', [
      { labels: { version: sources.version }, value: 1 },
    ]),
    gauge('tideway_node_info', 'Which node this is, and where.', [{ labels: sources.node, value: 1 }]),
    gauge('tideway_ready', '1 while the node takes publishers and players.', sources.isReady ? 1 : 0),
    gauge('tideway_connections', 'Open connections.', byDoor(rtmp.connections, http?.connections)),
    counter('tideway_rtmp_connections_total', 'RTMP connections accepted.', rtmp.accepted),
    counter(
      'tideway_connections_dropped_total',
      'Connections closed on arrival, over a limit, or to make room for another.',
      byDoor(rtmp.turnedAway, http?.droppedConnections),
    ),
    counter('tideway_rtmp_received_bytes_total', 'Bytes received by RTMP.', rtmp.bytesIn),
    counter('tideway_rtmp_sent_bytes_total', 'Bytes sent by RTMP.', rtmp.bytesOut),
    counter('tideway_http_requests_total', 'Requests taken.', http?.requests ?? 0),
    counter('tideway_http_received_bytes_total', 'Bytes received by HTTP.', http?.bytesIn ?? 0),
    counter('tideway_http_sent_bytes_total', 'Bytes sent by HTTP, media included.', http?.bytesOut ?? 0),
    ...loadMetrics(sources.member.load),
    ...mediaMetrics({ directory, budget, tally: sources.tally }),
    ...drainMetrics(sources.drain),
    counter(
      'tideway_reconnect_requests_total',
      'RTMP publishers that were asked to go on at another node.',
      rtmp.reconnectRequests,
    ),
    counter('tideway_publications_total', 'Publications opened.', publishing.opened),
    counter(
      'tideway_publishers_too_fast_total',
      'Publishers that were ended for sending more than publish.maxMbps or publish.maxFramesPerSecond.',
      publishing.tooFast,
    ),
    gauge('tideway_standbys', 'Publishers that stand by.', publishing.standbys.count),
    counter(
      'tideway_standby_takeovers_total',
      'Times that one that stood by went on air.',
      publishing.standbys.takeovers,
    ),
    counter('tideway_rtmp_refusals_total', 'RTMP peers told no, by reason.', refusals.rtmp.samples()),
    counter('tideway_http_refusals_total', 'Requests told no, by reason.', refusals.http.samples()),
    counter(
      'tideway_wire_errors_total',
      'Connections that broke a wire format, by rule.',
      wireErrors.samples(),
    ),
    ...clusterMetrics({ registry, membership, replicas, claims: publishing.claims.counts }),
    ...sources.mesh,
    ...sources.routing,
    ...sources.ask,
    ...sources.quality,
    ...sources.sessions,
    ...sources.certificates,
    ...tableMetrics(sources.tables),
  ];
}

/** How full everything is that grows with what others do. */
function tableMetrics(tables: readonly Table[]): MetricFamily[] {
  const labelled = tables.map(({ table, ...rest }) => ({ labels: { table }, ...rest }));
  return [
    gauge(
      'tideway_table_entries',
      'Entries of tables, caches and queues.',
      labelled.map(({ labels, entries: value }) => ({ labels, value })),
    ),
    gauge(
      'tideway_table_limit',
      'Entries that they have at most; those without are bounded by what is in others.',
      labelled.flatMap(({ labels, limit: value }) => (value === undefined ? [] : [{ labels, value }])),
    ),
  ];
}

function drainMetrics({ state, players, publishers, children }: DrainSummary): MetricFamily[] {
  const left = { players, publishers, children };
  return [
    gauge(
      'tideway_drain_state',
      'The node serves, is being emptied, or was: 1 for what it is.',
      DRAIN_STATES.map((each) => ({ labels: { state: each }, value: state === each ? 1 : 0 })),
    ),
    gauge(
      'tideway_drain_left',
      'Who would have to go before the node is empty.',
      Object.entries(left).map(([who, value]) => ({ labels: { who }, value })),
    ),
  ];
}
