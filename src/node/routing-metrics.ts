// What a node counts of routing: its decisions, and what they leave behind.
import { counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import type { Decisions } from '../routing/decisions.ts';
import type { Router } from '../routing/router.ts';
import type { StreamHolders } from './stream-holders.ts';

export interface RoutingSources {
  readonly router: Pick<Router, 'unmet' | 'reservationCount' | 'view'>;
  readonly decisions: Pick<Decisions, 'count'>;
  readonly holders: Pick<StreamHolders, 'spared'>;
}

export function routingMetrics({ router, decisions, holders }: RoutingSources): MetricFamily[] {
  const barred = router.view.nodes.filter(({ limit }) => limit !== undefined).length;
  return [
    gauge('tideway_routing_nodes', 'Nodes that decisions see, by whether they may be chosen.', [
      { labels: { may: 'yes' }, value: router.view.nodes.length - barred },
      { labels: { may: 'no' }, value: barred },
    ]),
    counter('tideway_routing_decisions_total', 'Decisions of routing.', decisions.count),
    counter('tideway_routing_unmet_total', 'Decisions for which no node was left.', router.unmet),
    gauge(
      'tideway_routing_promised_nodes',
      'Nodes that somebody was sent to of late.',
      router.reservationCount,
    ),
    counter(
      'tideway_routing_lookups_spared_total',
      'Lookups not made, since too many were under way.',
      holders.spared,
    ),
  ];
}
