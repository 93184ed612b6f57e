// What a node counts as a member of its cluster: the registry and its guard, the nodes that it sees, what it keeps there.
import { counter, gauge, type MetricFamily } from '../observe/metrics.ts';
import type { GuardedRegistry, GuardState } from '../registry/guarded.ts';
import type { Membership } from '../registry/membership.ts';
import type { ReplicaKeeper } from '../registry/replica-keeper.ts';
import type { ClaimCounts } from './claims.ts';

export interface ClusterSources {
  readonly registry: Pick<
    GuardedRegistry,
    'state' | 'calls' | 'failures' | 'timeouts' | 'spared' | 'freshHits' | 'staleHits'
  >;
  readonly membership: Pick<Membership, 'state' | 'nodes' | 'beats' | 'failures' | 'wipes'>;
  readonly replicas: Pick<ReplicaKeeper, 'count' | 'puts' | 'failures'>;
  readonly claims: ClaimCounts;
}

const GUARD_STATES: readonly GuardState[] = ['up', 'down', 'trying'];

export function clusterMetrics({ registry, membership, replicas, claims }: ClusterSources): MetricFamily[] {
  const states = GUARD_STATES.map((state) => ({
    labels: { state },
    value: registry.state === state ? 1 : 0,
  }));
  return [
    gauge(
      'tideway_registry_state',
      'The registry is up, down, or being tried again: 1 for what it is.',
      states,
    ),
    counter('tideway_registry_calls_total', 'Calls to the registry.', registry.calls),
    counter(
      'tideway_registry_failures_total',
      'Calls that found it away, timeouts among them.',
      registry.failures,
    ),
    counter('tideway_registry_timeouts_total', 'Calls that it did not answer in time.', registry.timeouts),
    counter('tideway_registry_spared_total', 'Calls not made since it was down.', registry.spared),
    counter('tideway_registry_cache_hits_total', 'Lookups answered from memory.', [
      { labels: { age: 'fresh' }, value: registry.freshHits },
      { labels: { age: 'stale' }, value: registry.staleHits },
    ]),
    gauge('tideway_nodes', 'Nodes that beat, this one not counted.', membership.nodes().length),
    gauge(
      'tideway_joined',
      '1 while the registry answers the beats of this node.',
      membership.state.at === 'joined' ? 1 : 0,
    ),
    counter('tideway_beats_total', 'Beats that were answered.', membership.beats),
    counter('tideway_beat_failures_total', 'Beats that failed.', membership.failures),
    counter('tideway_registry_wipes_total', 'Times that the registry had lost everything.', membership.wipes),
    gauge('tideway_claims', 'Claims that this node keeps.', [
      { labels: { standing: 'granted' }, value: claims.granted },
      { labels: { standing: 'provisional' }, value: claims.provisional },
    ]),
    counter('tideway_claim_renewals_total', 'Renewals of claims.', claims.renewals),
    counter('tideway_claim_heals_total', 'Renewals of claims that the registry had lost.', claims.heals),
    counter('tideway_claim_failures_total', 'Renewals and releases that failed.', claims.failures),
    gauge('tideway_replicas', 'Replicas that this node has registered.', replicas.count),
    counter('tideway_replica_puts_total', 'Replicas put, renewals among them.', replicas.puts),
    counter('tideway_replica_failures_total', 'Calls for replicas that failed.', replicas.failures),
  ];
}
