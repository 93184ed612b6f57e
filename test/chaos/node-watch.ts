// The rules that hold for nodes, all the time: they live, make no errors of their own, tell no secrets, keep bounds, answer,
// and no epoch is granted twice.
import { readMetrics } from '../support/metrics.ts';
import type { NodeProcess } from '../support/node-process.ts';
import type { LogLine } from '../support/running-node.ts';
import { secretScan } from '../support/secrets.ts';
import type { Site } from './site.ts';
import type { Rule } from './violation.ts';
import type { World } from './world.ts';

/** Health is asked for so often of each node, and answered within this. */
const ASK_EVERY_MS = 1_000;
const ANSWER_WITHIN_MS = 3_000;
const MAX_RESIDENT_BYTES = 512 * 2 ** 20;

interface Watched {
  readonly node: NodeProcess;
  /** Log lines that were read. */
  read: number;
  askedMs: number;
  /** The question under way; undefined: none is. */
  asking: Promise<void> | undefined;
  deaths: number;
}

export interface NodeWatchNeeds {
  readonly site: Site;
  readonly world: World;
  readonly violated: (rule: Rule, detail: string) => void;
}

export class NodeWatch {
  readonly #needs: NodeWatchNeeds;
  readonly #watched: readonly Watched[];
  /** Who was granted an epoch, by stream and epoch. */
  readonly #granted = new Map<string, string>();
  #mostResidentBytes = 0;
  #worstAnswerMs = 0;

  constructor(needs: NodeWatchNeeds) {
    this.#needs = needs;
    this.#watched = needs.site.ids.map((id) => ({
      node: needs.site.node(id),
      ...{ read: 0, askedMs: 0, asking: undefined, deaths: 0 },
    }));
  }

  /** Of any node, ever, bytes. */
  get mostResidentBytes(): number {
    return this.#mostResidentBytes;
  }

  /** Of any node that worked, to `/healthz` and `/metrics` together, ms. */
  get worstAnswerMs(): number {
    return this.#worstAnswerMs;
  }

  /** To be called some times a second. */
  look(nowMs: number): void {
    const { world, violated } = this.#needs;
    for (const line of secretScan.takeLeaks()) violated('no-secrets', `a secret is in a log: ${line}`);
    for (const watched of this.#watched) {
      const { node } = watched;
      this.#readLines(watched);
      if (!world.isDown(node.id) && !node.isRunning && watched.deaths <= world.deaths(node.id)) {
        watched.deaths = world.deaths(node.id) + 1;
        violated('nodes-live', `${node.id} ended, and nobody had killed it`);
      }
      if (world.works(node.id) && !watched.asking && nowMs - watched.askedMs > ASK_EVERY_MS) {
        watched.askedMs = nowMs;
        watched.asking = this.#ask(watched).finally(() => {
          watched.asking = undefined;
        });
      }
    }
  }

  /** Resolves once all that was asked is answered: nobody ends the nodes before. */
  async answered(): Promise<void> {
    await Promise.all(this.#watched.map(({ asking }) => asking));
  }

  #readLines(watched: Watched): void {
    const { node } = watched;
    for (const line of node.lines.slice(watched.read)) {
      if (line.level === 'error') {
        this.#needs.violated(
          'no-errors-of-its-own',
          `${node.id} says ${JSON.stringify(line).slice(0, 1_000)}`,
        );
      }
      if (isGrant(line)) this.#readGrant(node, line);
    }
    watched.read = node.lines.length;
  }

  #readGrant({ id }: NodeProcess, { stream, epoch, session }: LogLine): void {
    const grant = `${stream} ${epoch}`;
    const to = `${id} ${session}`;
    const before = this.#granted.get(grant);
    if (before !== undefined && before !== to) {
      this.#needs.violated('epoch-granted-once', `${grant} was granted to ${before} and to ${to}`);
    }
    this.#granted.set(grant, to);
  }

  async #ask({ node }: Watched): Promise<void> {
    const { world, violated } = this.#needs;
    const deaths = world.deaths(node.id);
    const startMs = performance.now();
    const health = await node.get('/healthz', ANSWER_WITHIN_MS);
    const metrics = await node.get('/metrics', ANSWER_WITHIN_MS);
    const tookMs = performance.now() - startMs;
    // One that was killed or stood still meanwhile had no chance to answer.
    if (world.deaths(node.id) !== deaths || !world.works(node.id)) return;
    this.#worstAnswerMs = Math.max(this.#worstAnswerMs, Math.round(tookMs));
    for (const [path, { status }] of [['/healthz', health] as const, ['/metrics', metrics] as const]) {
      if (status === 200) continue;
      const how = status === 0 ? `nothing within ${ANSWER_WITHIN_MS} ms` : String(status);
      violated('health-answers', `${node.id} answered ${path} by ${how}`);
    }
    if (metrics.status === 200) this.#lookAtBounds(node, metrics.body);
  }

  /** @param metrics what /metrics answered */
  #lookAtBounds({ id }: NodeProcess, metrics: string): void {
    const { violated } = this.#needs;
    const families = readMetrics(metrics);
    const limits = families.get('tideway_table_limit')?.samples;
    for (const [label, entries] of families.get('tideway_table_entries')?.samples ?? []) {
      const limit = limits?.get(label) ?? Number.POSITIVE_INFINITY;
      if (entries > limit) violated('bounded', `${id}: ${label} has ${entries} of ${limit} entries`);
    }
    const residentBytes = families.get('process_resident_memory_bytes')?.samples.get('') ?? 0;
    this.#mostResidentBytes = Math.max(this.#mostResidentBytes, residentBytes);
    if (residentBytes > MAX_RESIDENT_BYTES)
      violated('bounded', `${id} takes ${residentBytes} bytes of memory`);
  }
}

/** A node says that one of its publications was granted an epoch: `stream`, `epoch`, `session`. */
export function isGrant({ event }: LogLine): boolean {
  return event === 'publish.start' || event === 'publish.new-epoch';
}
