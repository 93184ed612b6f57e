// A hop from node to node: what it adds to the payload, and what CPU it takes of the node that pulls. Bytes are those that
// the second node has read from its mesh sockets (`tideway_mesh_received_bytes_total`), all streams, beats and control
// messages; what passes when nothing is relayed is measured first and shown beside it.
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../../test/support/free-ports.ts';
import { RedisServer } from '../../../test/support/redis-server.ts';
import { until } from '../../../test/support/until.ts';
import type { Figures, Outcome } from '../figures.ts';
import { cpuSeconds } from '../machine.ts';
import { isThere } from '../programs.ts';
import { type Bench, Site } from '../site.ts';
import { TidewayServer } from '../subjects/tideway.ts';
import type { BenchCase, Run } from './case.ts';

const SECRET = '5ec2e7'.repeat(11);
const RECEIVED = 'tideway_mesh_received_bytes_total';
/** Over so short a time one frame is 0.2 % of a stream of 1 Mbit/s. */
const MIN_SECONDS = 20;

export const relay: BenchCase = {
  name: 'relay',
  // Its players are streams, each with one player behind the hop.
  sizes: ({ isQuick }) => (isQuick ? [1] : [1, 100]).map((players) => ({ players, mbps: 1 })),
  contenders: () => [{ subject: 'tideway', format: 'http-flv' }],
  async run(run: Run, bench: Bench): Promise<Outcome | undefined> {
    if (!isThere('redis-server', '--version')) {
      bench.note('  relay: left out, as there is no redis-server: apt-get install redis-server');
      return undefined;
    }
    await using redis = await RedisServer.start({ port: await freePort() });
    const settings = { 'registry.url': `redis://127.0.0.1:${redis.port}`, 'mesh.secret': SECRET };
    const origin = { settings: { ...settings, 'node.id': 'bench-a' } };
    await using site = await Site.open(bench, run.contender, origin);
    await using second = await TidewayServer.start({
      ...{ core: bench.cores.server, folder: bench.folder },
      settings: { ...settings, 'node.id': 'bench-b' },
    });
    await until('the second node has a link', async () => (await second.metric('tideway_mesh_links')) === 1);
    // Awaited here: what is disposed of at the end of this block is in use until then.
    return await measured(run, bench, site, second);
  },
};

async function measured(run: Run, bench: Bench, site: Site, second: TidewayServer): Promise<Outcome> {
  const { players: streams, mbps } = run;
  const seconds = bench.options.isQuick
    ? bench.options.seconds
    : Math.max(MIN_SECONDS, bench.options.seconds);
  const idle = await idleOf(second, Math.min(seconds, bench.options.seconds));
  await site.publish(streams, mbps);
  const keys = Array.from({ length: streams }, (_, at) => `live/s${at}`);
  const at = second.at(run.contender.format);
  await site.join('all', streams, { withinMs: 200 + streams * 10, streams: keys, at });
  await delay(bench.options.restMs * 2);
  const window = await site.window('all', seconds, {
    pids: second.pids,
    counter: () => second.metric(RECEIVED),
  });
  const { publisher, clientBound, figures, spanS, counted: received } = window;
  if (!publisher) throw new Error('nobody publishes');
  const { cpuSecondsPerGB: _played, ...rest } = figures;
  return {
    figures: {
      ...hopFigures({
        received,
        payload: publisher.payloadBytes,
        spanS,
        idle,
        cpuSeconds: window.cpuSeconds,
      }),
      ...rest,
    },
    clientBound,
  };
}

/** What a link without streams takes, each second. */
interface Idle {
  readonly bytesPerS: number;
  readonly cpuPerS: number | undefined;
}

async function idleOf(node: TidewayServer, seconds: number): Promise<Idle> {
  const [bytes, cpu] = [await node.metric(RECEIVED), cpuSeconds(node.pids)];
  const startMs = performance.now();
  await delay(seconds * 1000);
  const [bytesAfter, cpuAfter] = [await node.metric(RECEIVED), cpuSeconds(node.pids)];
  const spanS = (performance.now() - startMs) / 1000;
  return {
    bytesPerS: (bytesAfter - bytes) / spanS,
    cpuPerS: cpu === undefined || cpuAfter === undefined ? undefined : (cpuAfter - cpu) / spanS,
  };
}

/** Bytes over payload, percent, with and without what passes anyway; CPU per GB of payload likewise. */
export function hopFigures(of: {
  readonly received: number;
  readonly payload: number;
  readonly spanS: number;
  readonly idle: Idle;
  readonly cpuSeconds: number | undefined;
}): Figures {
  const { received, payload, spanS, idle, cpuSeconds: took } = of;
  if (payload === 0) return {};
  const perGB = (seconds: number) => seconds / (payload / 1e9);
  return {
    ...(took !== undefined && { cpuSecondsPerGB: perGB(took) }),
    ...(took !== undefined &&
      idle.cpuPerS !== undefined && { cpuSecondsPerGBWithoutIdle: perGB(took - idle.cpuPerS * spanS) }),
    bytesOverPayloadPercent: (received / payload - 1) * 100,
    bytesOverPayloadWithoutIdlePercent: ((received - idle.bytesPerS * spanS) / payload - 1) * 100,
    idleBytesPerS: idle.bytesPerS,
  };
}
