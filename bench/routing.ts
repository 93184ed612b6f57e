// What a routing decision takes in a cluster of a thousand nodes: with and without a session, published and played.
//   npm run bench:routing
//   npm run bench:routing -- --nodes 1000 --decisions 20000
import { parseArgs } from 'node:util';
import { systemClock } from '../src/base/clock.ts';
import type { StreamKey } from '../src/base/stream-key.ts';
import { loadConfig } from '../src/config/load.ts';
import { Decisions } from '../src/routing/decisions.ts';
import type { NodeView } from '../src/routing/node-view.ts';
import { type RouteAsk, Router } from '../src/routing/router.ts';
import { machineName } from './fan-out/machine.ts';
import { Samples } from './fan-out/samples.ts';
import { Random } from './sim/random.ts';
import { realWorld } from './sim/world.ts';

const VERSION = '1.0.0';
const BAR_US = 200;
const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { nodes: text, decisions: text } });
const [nodes, decisions] = [Number(values.nodes ?? '1000'), Number(values.decisions ?? '20000')];
const random = new Random('routing');
const world = realWorld();
const views = Array.from({ length: nodes }, (_, at) => viewOf(at));
const { weights, limits } = loadConfig({ newNodeId: () => 'bench' }).routing;
const router = new Router(
  {
    ...{ self: 'node-0', version: VERSION, prices: world.prices, weights },
    limits: { ...limits, players: limits.players },
  },
  { clock: systemClock, random: () => random.share(), decisions: new Decisions(() => 0) },
);
router.setNodes(views);

console.log(`${machineName()}; ${nodes} nodes, ${decisions} decisions each`);
console.log('| decision | p50 us | p99 us | bar p99 | verdict |\n|---|---|---|---|---|');
const cases: [name: string, ask: (at: number) => Partial<RouteAsk>][] = [
  ['play, 3 nodes have the stream', () => ({ holders: holders(3) })],
  ['play, 300 nodes have the stream', () => ({ holders: holders(300) })],
  ['play, new session', (at) => ({ holders: holders(3), session: `session ${at}` })],
  ['play, session that comes back', (at) => ({ holders: holders(3), session: `session ${at % 10}` })],
  ['publish', () => ({ kind: 'publish' })],
];
let isMet = true;
for (const [name, ask] of cases) {
  measure(ask, decisions / 4);
  const { p50, p99 } = measure(ask, decisions);
  if (p99 > BAR_US) isMet = false;
  console.log(`| ${name} | ${p50} | ${p99} | <= ${BAR_US} | ${p99 <= BAR_US ? 'met' : 'MISSED'} |`);
}
const before = performance.now();
for (let turn = 0; turn < 50; turn += 1) router.setNodes(views);
console.log(`a snapshot of all nodes, each second: ${((performance.now() - before) / 50).toFixed(2)} ms`);
process.exitCode = isMet ? 0 : 1;

/** In microseconds. */
function measure(ask: (at: number) => Partial<RouteAsk>, count: number): { p50: number; p99: number } {
  const samples = new Samples();
  for (let at = 0; at < count; at += 1) {
    const wanted = { ...usual(), ...ask(at) };
    const startMs = performance.now();
    router.route(wanted);
    samples.add((performance.now() - startMs) * 1_000);
  }
  const { p50, p99 } = samples.take();
  return { p50: Math.round(p50), p99: Math.round(p99) };
}

function usual(): RouteAsk {
  return {
    ...{ kind: 'play', stream: 'live/show' as StreamKey, holders: undefined, door: 'http' },
    place: { region: random.pick(world.regions).name, zone: '' },
    ...{ session: undefined, bytesPerS: 250_000 },
  };
}

function holders(count: number) {
  const names = Array.from({ length: count }, () => `node-${random.below(nodes)}`);
  return { origin: names[0], nodes: new Set(names) };
}

function viewOf(at: number): NodeView {
  const busy = random.between(0.2, 0.8);
  const region = world.regions[at % world.regions.length]?.name ?? '';
  const others = world.regions.filter(({ name }) => name !== region);
  return {
    ...{ node: `node-${at}`, region, zone: `z${at % 3}`, version: VERSION, draining: false },
    ...{ rtmp: '10.0.0.1:1935', http: '10.0.0.1:80' },
    load: {
      ...{ cpu: busy, memory: 0.3, loopBusy: busy, loopLagMs: 2, sentBytesPerS: busy * 5e8 },
      ...{ capacityBytesPerS: 5e8, players: 1_000, streams: 100 },
    },
    rttMs: Object.fromEntries(others.map(({ name }) => [name, random.between(20, 250)])),
  };
}
