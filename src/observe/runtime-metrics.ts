// The process, its event loop and its garbage collection, by the names that prom-client has for them, so that dashboards
// made for Node fit. Its own collectDefaultMetrics can't be stopped: it leaves an observer and a timer for each node.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { Histogram, Registry } from 'prom-client';
import type { LoopLag } from './load-probe.ts';
import { counter, gauge, type MetricFamily } from './metrics.ts';
import { numberOf, readText, wholeNumber } from './small-file.ts';

const GC_BUCKETS_S = [0.001, 0.01, 0.1, 1, 2, 5];
const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

export class RuntimeMetrics {
  readonly #root: string;
  /** Histograms, which count when something happens. */
  readonly registry = new Registry();
  readonly #gc = new Histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'How long garbage collections took, by kind: minor, major, incremental, weakcb.',
    labelNames: ['kind'],
    buckets: GC_BUCKETS_S,
    registers: [this.registry],
  });
  readonly #collections = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) this.#collected(entry);
  });
  readonly #startedAtS = Math.round(Date.now() / 1000 - process.uptime());

  /** @param root where /proc is looked for */
  constructor(root = '/') {
    this.#root = root;
    for (const kind of Object.values(GC_KINDS)) this.#gc.zero({ kind });
  }

  start(): void {
    this.#collections.observe({ entryTypes: ['gc'] });
  }

  /** Calm when repeated. */
  stop(): void {
    this.#collections.disconnect();
  }

  /** As of now. @param lag of the event loop, since it was told last */
  families(lag: LoopLag): MetricFamily[] {
    return [...this.#process(), ...eventLoop(lag), ...heap(), versionOfNode()];
  }

  #collected({ duration, detail }: { readonly duration: number; readonly detail?: unknown }): void {
    const { kind = 0 } = (detail ?? {}) as { readonly kind?: number };
    this.#gc.observe({ kind: GC_KINDS[kind] ?? 'other' }, duration / 1000);
  }

  #process(): MetricFamily[] {
    const { user, system } = process.cpuUsage();
    const status = readText(join(this.#root, 'proc/self/status'));
    const limits = readText(join(this.#root, 'proc/self/limits')) ?? '';
    const virtualKiB = numberOf('VmSize', status);
    const [, mostFiles] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    const rows: MetricFamily[] = [
      counter('process_cpu_user_seconds_total', 'CPU time in programs.', user / 1e6),
      counter('process_cpu_system_seconds_total', 'CPU time in the kernel.', system / 1e6),
      counter('process_cpu_seconds_total', 'CPU time of both.', (user + system) / 1e6),
      gauge('process_start_time_seconds', 'When it was started, since 1970.', this.#startedAtS),
      gauge('process_resident_memory_bytes', 'Memory that it has in RAM.', process.memoryUsage.rss()),
      gauge('process_virtual_memory_bytes', 'Addresses that it has taken.', known(virtualKiB, 1024)),
      gauge('process_open_fds', 'Files and sockets that are open.', known(this.#openFiles())),
      gauge('process_max_fds', 'Files and sockets that may be open.', known(wholeNumber(mostFiles))),
    ];
    return rows;
  }

  #openFiles(): number | undefined {
    try {
      // The folder itself is open while it is read.
      return readdirSync(join(this.#root, 'proc/self/fd')).length - 1;
    } catch {
      return undefined;
    }
  }
}

/** Nothing to tell where the system doesn't say. */
function known(value: number | undefined, times = 1): MetricFamily['samples'] {
  return value === undefined ? [] : [{ value: value * times }];
}

function eventLoop({ max, p99 }: LoopLag): MetricFamily[] {
  const late = 'What turns of the event loop were late, in the worst second since the last look';
  return [
    gauge('nodejs_eventloop_lag_max_seconds', `${late}: the worst.`, max),
    gauge('nodejs_eventloop_lag_p99_seconds', `${late}: 99 in a hundred were no later.`, p99),
  ];
}

function heap(): MetricFamily[] {
  const { heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const spaces = getHeapSpaceStatistics().map((each) => ({
    ...each,
    labels: { space: each.space_name.replace(/_space$/, '') },
  }));
  return [
    gauge('nodejs_heap_size_total_bytes', 'Heap that V8 has taken.', heapTotal),
    gauge('nodejs_heap_size_used_bytes', 'Heap that is in use.', heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory of objects outside the heap, buffers included.', external),
    gauge('nodejs_array_buffers_bytes', 'Memory of buffers.', arrayBuffers),
    gauge(
      'nodejs_heap_space_size_total_bytes',
      'Heap that V8 has taken, by space.',
      spaces.map(({ labels, space_size: value }) => ({ labels, value })),
    ),
    gauge(
      'nodejs_heap_space_size_used_bytes',
      'Heap that is in use, by space.',
      spaces.map(({ labels, space_used_size: value }) => ({ labels, value })),
    ),
    gauge(
      'nodejs_heap_space_size_available_bytes',
      'Heap that is free, by space.',
      spaces.map(({ labels, space_available_size: value }) => ({ labels, value })),
    ),
  ];
}

function versionOfNode(): MetricFamily {
  const { version } = process;
  const [major = '', minor = '', patch = ''] = version.slice(1).split('.');
  return gauge('nodejs_version_info', 'The version of Node.', [
    { labels: { version, major, minor, patch }, value: 1 },
  ]);
}
