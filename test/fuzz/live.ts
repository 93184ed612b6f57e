// The live target: a real node in this process, whose doors are given broken streams over sockets, beside a publisher and
// players who must not notice (test/support/witness.ts).
import { Chance } from '../support/chance.ts';
import { freePort } from '../support/free-ports.ts';
import { metric } from '../support/hostile.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { secretScan } from '../support/secrets.ts';
import { until } from '../support/until.ts';
import { Witness } from '../support/witness.ts';
import { type Attack, Attacks, attack } from './attacks.ts';
import { type Coverage, CoverageMap } from './engine/coverage.ts';
import type { Find, FuzzReport } from './engine/fuzzer.ts';

export const LIVE = 'live';

export interface LiveOptions {
  readonly seed: number;
  readonly ms: number;
  readonly coverage: Coverage;
}

const COVERS = [
  'src/rtmp/connection.ts',
  'src/rtmp/session.ts',
  'src/rtmp/publisher.ts',
  'src/media/publication.ts',
  'src/media/timeline.ts',
  'src/flv/publisher.ts',
  'src/flv/player.ts',
  'src/flv/ws-player.ts',
  'src/http/server.ts',
  'src/http/json-body.ts',
  'src/mesh/door.ts',
];
/** Sockets at once. */
const AT_ONCE = 8;
/** The witness and the node's log are looked at after so many attacks. */
const ROUND = 80;
const SETTINGS = {
  'dashboard.enabled': 'false',
  'watch.enabled': 'false',
  'log.level': 'info',
  'mesh.secret': 'a secret that no fuzzer knows by chance',
} as const;

export async function fuzzLive({ seed, ms, coverage }: LiveOptions): Promise<FuzzReport> {
  const map = new CoverageMap(coverage, COVERS);
  coverage.take();
  const chance = new Chance(seed);
  const attacks = new Attacks();
  await using redis = await RedisServer.start({ port: await freePort() });
  const node = await runNode({ ...SETTINGS, 'registry.url': `redis://127.0.0.1:${redis.port}` });
  const { rtmpPort, httpPort } = node;
  const doors = { host: '127.0.0.1', rtmpPort, httpPort, meshPort: node.node.addresses.meshPort };
  const witness = await Witness.start(node);
  const finds: Find[] = [];
  const startMs = performance.now();
  let executions = 0;
  try {
    while (performance.now() - startMs < ms && finds.length === 0) {
      const round = Array.from({ length: ROUND }, () => attacks.draw(chance));
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, lane) => {
          for (let at = lane; at < ROUND; at += AT_ONCE) {
            const drawn = round[at];
            if (drawn) await attack(doors, drawn, new Chance(seed + at));
          }
        }),
      );
      executions += ROUND;
      map.merge(coverage.take());
      const reason = await disturbance(node, witness);
      if (reason !== undefined)
        finds.push({ input: joined(round), reason, at: `round ${executions / ROUND}` });
    }
    const left = await leftBehind(node);
    if (left !== undefined) finds.push({ input: Buffer.alloc(0), reason: left, at: 'the end' });
  } finally {
    witness.stop();
    await node.stop();
  }
  map.merge(coverage.take());
  const covered = map.covered;
  return { target: LIVE, seed, executions, ms: performance.now() - startMs, kept: 0, covered, finds };
}

function joined(round: readonly Attack[]): Buffer {
  const heads = round.map(({ door, bytes }) => [Buffer.from(`\n${door} ${bytes.length}\n`), bytes]);
  return Buffer.concat(heads.flat());
}

/** What others felt of the attacks; undefined: nothing. */
async function disturbance(node: RunningNode, witness: Witness): Promise<string | undefined> {
  const broken = node.lines.find(({ level }) => level === 'error');
  if (broken) return `the node says ${JSON.stringify(broken)}`.slice(0, 2_000);
  const [leak] = secretScan.takeLeaks();
  if (leak !== undefined) return `a query or a secret is in the log: ${leak}`.slice(0, 2_000);
  if (node.failures.length > 0) return `the node failed: ${node.failures.join(', ')}`;
  try {
    await witness.undisturbed();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Connections that outlive their attackers; undefined: none does. */
async function leftBehind(node: RunningNode): Promise<string | undefined> {
  const own = { http_connections: 3, rtmp_connections: 2 };
  const entries = async () => metric(node, 'tideway_table_entries');
  try {
    await until('attackers are forgotten', async () => {
      const now = await entries();
      return Object.entries(own).every(([table, most]) => (now.get(`table="${table}"`) ?? 0) <= most);
    });
    return undefined;
  } catch {
    return `attackers are remembered: ${JSON.stringify([...(await entries())].filter(([, count]) => count > 0))}`;
  }
}
