// What registry calls cost: CPU of Redis and of this process per call, with a real redis-server on a unix socket.
//   npm run bench:registry
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../dist/base/clock.js';
import { RedisRegistry } from '../dist/registry/redis.js';
import { connectRedis } from '../dist/registry/redis-client.js';
import { loadScripts } from '../dist/registry/redis-scripts.js';

const CALLS = 20_000;
/** Calls on their way at once, as when many claims are renewed. */
const AT_ONCE = 100;
const STREAMS = 1_000;
const NODES = 100;

const folder = mkdtempSync(join(tmpdir(), 'tideway-bench-'));
const path = join(folder, 'redis.sock');
const server = spawn('redis-server', ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder], {
  stdio: 'ignore',
});
const registry = new RedisRegistry(
  { prefix: 'tw:' },
  {
    clock: systemClock,
    scripts: loadScripts(),
    connect: () => connectRedis({ place: { is: 'socket', path } }),
  },
);
while (!registry.isConnected) await delay(10);

const owner = (at) => ({ node: `node-${at}`, boot: at.toString(16).padStart(16, '0') });
const key = (at) => `live/stream-${at % STREAMS}`;
const load = {
  cpu: 0.5,
  memory: 0.5,
  loopLagMs: 1.5,
  sentBytesPerS: 1e8,
  capacityBytesPerS: 1e9,
  players: 1000,
  streams: 100,
};
const record = (at) => ({
  ...{
    ...owner(at),
    host: `host-${at}`,
    version: '0.1.0',
    mesh: [`10.0.0.${at}:7935`],
    rtmp: `10.0.0.${at}:1935`,
  },
  ...{ http: `10.0.0.${at}:8080`, region: 'eu', zone: 'eu-1', draining: false, load },
});
const epochs = [];

/** CPU of redis-server so far, us: proc(5), utime and stime in ticks of 10 ms. */
function redisCpuUs() {
  const stat = readFileSync(`/proc/${server.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function measure(name, call, calls = CALLS) {
  for (let at = 0; at < STREAMS; at += 1) await call(at);
  const [own, redis, startMs] = [process.cpuUsage(), redisCpuUs(), performance.now()];
  let next = 0;
  const worker = async () => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const wallUs = (performance.now() - startMs) * 1000;
  const { user, system } = process.cpuUsage(own);
  const lone = [];
  for (let at = 0; at < 500; at += 1) {
    const sentMs = performance.now();
    await call(at);
    lone.push(performance.now() - sentMs);
  }
  lone.sort((a, b) => a - b);
  const us = (sum) => (sum / calls).toFixed(1).padStart(7);
  const row = `| ${name.padEnd(28)} | ${us(redisCpuUs() - redis)} | ${us(user + system)} | ${us(wallUs)} |`;
  console.log(
    `${row} ${(lone[250] * 1000).toFixed(0).padStart(5)} | ${(lone[495] * 1000).toFixed(0).padStart(5)} |`,
  );
}

const plain = connectRedis({ place: { is: 'socket', path } });
await once(plain, 'ready');
const claim = { reason: 'publish', mode: 'takeover', tag: 7 };
const publisher = (at) => `p-${at}`;
console.log(`${cpus()[0]?.model}, Node ${process.version}, ${CALLS} calls, ${AT_ONCE} at once`);
console.log('| call | Redis us | own us | wall us | alone p50 us | p99 us |\n|---|---|---|---|---|---|');
await measure('GET, to compare', (at) => plain.get(key(at)));
await measure('claim', async (at) => {
  const answer = await registry.claim({
    ...claim,
    key: key(at),
    owner: owner(1),
    publisher: publisher(at),
    minEpoch: 0,
  });
  epochs[at % STREAMS] = { epoch: answer.epoch, publisher: publisher(at) };
});
await measure('renew', (at) =>
  registry.renew({
    ...claim,
    ...epochs[at % STREAMS],
    key: key(at),
    owner: owner(1),
    state: 'live',
    standing: 'granted',
  }),
);
await measure('put replica, 5 a stream', (at) =>
  registry.putReplica(key(at), {
    ...owner(at % 5),
    epoch: epochs[at % STREAMS].epoch,
    hops: 1,
    upstream: 'node-1',
  }),
);
await measure('lookup, 5 replicas', (at) => registry.lookup(key(at)));
for (let at = 0; at < NODES; at += 1) await registry.beat(record(at));
// In a second between two beats of a node, all others beat too.
await measure(`beat, ${NODES - 1} others changed`, (at) => registry.beat(record(at % NODES)), 2_000);

plain.disconnect();
await registry.close();
server.kill();
rmSync(folder, { recursive: true, force: true });
