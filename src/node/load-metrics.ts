// How busy a node is, as metric families: the figures that its beats tell the cluster, and what they are parts of.
import type { LoadProbe } from '../observe/load-probe.ts';
import { gauge, type MetricFamily } from '../observe/metrics.ts';

export type LoadSource = Pick<LoadProbe, 'read' | 'basis'>;

export function loadMetrics(probe: LoadSource): MetricFamily[] {
  const load = probe.read();
  const { cpuCores, memoryBytes, capacityFrom } = probe.basis;
  const capacity = [{ labels: { from: capacityFrom }, value: load.capacityBytesPerS }];
  return [
    gauge('tideway_node_cpu_ratio', 'CPU in use in the container, else on the host, 0 to 1.', load.cpu),
    gauge('tideway_node_cpu_cores', 'Cores that this is a part of.', cpuCores),
    gauge('tideway_node_memory_ratio', 'Memory in use there, 0 to 1.', load.memory),
    gauge('tideway_node_memory_limit_bytes', 'Bytes that this is a part of.', memoryBytes),
    gauge('tideway_node_loop_busy_ratio', 'Time in which the event loop was busy, 0 to 1.', load.loopBusy),
    gauge(
      'tideway_node_loop_lag_seconds',
      'What the worst in a hundred turns of the event loop was late.',
      load.loopLagMs / 1000,
    ),
    gauge('tideway_node_sent_bytes_per_second', 'Sent by all doors and links.', load.sentBytesPerS),
    gauge(
      'tideway_node_received_bytes_per_second',
      'Received by all doors and links.',
      load.receivedBytesPerS,
    ),
    gauge('tideway_node_capacity_bytes_per_second', 'What it may send, by who says so.', capacity),
  ];
}
