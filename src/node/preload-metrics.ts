// What is counted of the streams that a node has others have ready.
import { counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import type { Preload } from './preload.ts';

export function preloadMetrics(
  preload: Pick<Preload, 'counts' | 'asks' | 'dropped' | 'lookups'>,
): MetricFamily[] {
  const { streams, orders, missing } = preload.counts;
  return [
    gauge('tideway_preload_streams', 'Streams that this node has others have ready.', streams),
    gauge('tideway_preload_orders', 'Orders of the API among them.', orders),
    gauge('tideway_preload_missing', 'Copies that are to be ready and for which there is no node.', missing),
    counter('tideway_preload_asks_total', 'Nodes asked for a copy, by cause.', preload.asks.samples()),
    counter(
      'tideway_preload_let_go_total',
      'Nodes that are asked for a copy no more, by why.',
      preload.dropped.samples(),
    ),
    counter('tideway_preload_lookups_total', 'Looks for copies that are there.', preload.lookups),
  ];
}
