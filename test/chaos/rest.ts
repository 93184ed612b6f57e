// Once faults have stopped: does the cluster come to rest, with one claimant of each stream, of whom all nodes and the
// registry know, and whom all players play?
import { linkedTo, streamAt } from '../support/cluster-view.ts';
import type { NodeProcess } from '../support/node-process.ts';
import type { Audience } from './audience.ts';
import { isGrant } from './node-watch.ts';
import type { Site } from './site.ts';

/** Two renewals (design §5), and what a node needs to be one of the cluster again after it was started. */
export const SETTLES_WITHIN_MS = 15_000;

/** What is not at rest yet, in words; nothing: all is. */
export async function unrest(site: Site, audience: Audience): Promise<string[]> {
  const nodes = site.ids.map((id) => site.node(id));
  const all = await Promise.all([
    ...nodes.map((node) => ofNode(node, nodes)),
    ...audience.encoders.map(({ key, onAir }) => ofStream(site, nodes, key, onAir?.node)),
  ]);
  return [...all.flat(), ...audience.behind(performance.now())];
}

async function ofNode(node: NodeProcess, nodes: readonly NodeProcess[]): Promise<string[]> {
  try {
    const { status, body } = await node.get('/readyz');
    const linked = await linkedTo(node);
    const missing = nodes.filter((other) => other !== node && !linked.includes(other.id)).map(({ id }) => id);
    return [
      ...(status === 200 ? [] : [`${node.id} is not ready: ${status} ${body.slice(0, 200)}`]),
      ...(missing.length > 0 ? [`${node.id} has no link to ${missing.join(', ')}`] : []),
    ];
  } catch (error) {
    return [String(error)];
  }
}

/** The registry, and each node, name the same origin. */
async function ofStream(
  { redis }: Site,
  nodes: readonly NodeProcess[],
  key: string,
  publishedAt: string | undefined,
): Promise<string[]> {
  if (publishedAt === undefined) return [`nobody publishes ${key}`];
  const publisher = nodes.find(({ id }) => id === publishedAt);
  const grant = publisher?.lines.findLast((line) => line.stream === key && isGrant(line));
  const wanted = `${publishedAt} ${grant?.epoch}`;
  try {
    const record = await redis.hgetall(`tw:{st:${key}}:o`);
    const found = `${record.node} ${record.epoch}`;
    const words =
      found === wanted && record.state === 'live'
        ? []
        : [`${key} is of ${wanted}, the registry has ${found} ${record.state}`];
    const rows = await Promise.all(nodes.map((node) => streamAt(node, key)));
    for (const [at, row] of rows.entries()) {
      const said = `${row?.origin?.node} ${row?.origin?.epoch}`;
      if (said !== wanted) words.push(`${key} is of ${wanted}, node ${nodes[at]?.id} says ${said}`);
      if (row?.here && String(row.here.epoch) !== String(grant?.epoch))
        words.push(`${key} is in epoch ${grant?.epoch}, node ${nodes[at]?.id} plays ${row.here.epoch}`);
    }
    return words;
  } catch (error) {
    return [`${key}: ${String(error)}`];
  }
}
