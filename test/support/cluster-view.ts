// What the nodes of a cluster say about streams and each other, as `/api/v1/streams` and `/api/v1/nodes` tell it.
import type { NodesAnswer } from '../../src/http/forms/nodes.ts';
import type { HereRow, StreamRow, StreamsAnswer } from '../../src/http/forms/streams.ts';
import type { NodeProcess } from './node-process.ts';
import { until } from './until.ts';

/** What one node says about a stream; undefined: neither it nor the registry knows it. The answer may be 0.5 s old. */
export async function streamAt(node: NodeProcess, key: string): Promise<StreamRow | undefined> {
  const { streams } = (await node.api('/api/v1/streams')) as StreamsAnswer;
  return streams.find((stream) => stream.key === key);
}

export async function hereAt(node: NodeProcess, key: string): Promise<HereRow | undefined> {
  return (await streamAt(node, key))?.here ?? undefined;
}

/** Nodes that a node has a link to. */
export async function linkedTo(node: NodeProcess): Promise<string[]> {
  const { nodes } = (await node.api('/api/v1/nodes')) as NodesAnswer;
  return nodes.filter(({ link }) => link !== null).map(({ node: id }) => id);
}

/** Resolves once each of these nodes has a link to each other. */
export async function meshed(nodes: readonly NodeProcess[], withinMs = 15_000): Promise<void> {
  for (const node of nodes) {
    const others = nodes.filter((each) => each !== node).map(({ id }) => id);
    await until(
      `node ${node.id} has links to ${others.join(', ')}`,
      async () => {
        const linked = await linkedTo(node);
        return others.every((id) => linked.includes(id));
      },
      withinMs,
    );
  }
}
