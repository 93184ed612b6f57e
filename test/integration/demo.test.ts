// `npm run demo`, as a newcomer has it: what it starts can be seen, and Ctrl-C leaves nothing behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { secretScan } from '../support/secrets.ts';
import { until } from '../support/until.ts';

const DEMO = fileURLToPath(new URL('../../scripts/demo.mjs', import.meta.url));
const PLAYERS = 24;
const READY_WITHIN_MS = 40_000;
/** Processes that it starts: Redis, three nodes, three encoders. */
const PROGRAMS = 7;

interface Nodes {
  readonly nodes: readonly {
    readonly node: string;
    readonly region: string;
    readonly load: { players: number };
  }[];
}

interface Streams {
  readonly streams: readonly {
    readonly key: string;
    readonly replicas: readonly { readonly node: string; readonly upstream: string }[];
  }[];
}

interface Traffic {
  readonly rows: readonly {
    readonly ownRegion: string;
    readonly region: string | null;
    readonly direction: 'in' | 'out';
    readonly cost: number;
  }[];
}

/** Processes that have a folder for temporary files, or work in one there, as Redis does: it writes over its environment. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const variables = readFileSync(`/proc/${name}/environ`, 'latin1').split('\0');
      const isOne =
        variables.includes(`TMPDIR=${folder}`) || readlinkSync(`/proc/${name}/cwd`).startsWith(folder);
      return isOne ? [Number(name)] : [];
    } catch {
      return []; // It ended while we looked, or is another's.
    }
  });
}

async function get<T>(url: string): Promise<T> {
  return (await fetch(url)).json() as Promise<T>;
}

test('the demo shows nodes, streams and players, and Ctrl-C ends all of it, also when a node is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tideway-demo-test-'));
  // The port of the first node is taken, if it was free at all.
  const squatter = createServer()
    .on('error', () => {})
    .listen(8081, '127.0.0.1');
  const demo = spawn(process.execPath, [DEMO, '--players', String(PLAYERS)], {
    env: { PATH: process.env.PATH, TMPDIR: folder },
  });
  const closed = once(demo, 'close');
  let said = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  try {
    await until('the demo is ready', () => /^Logs: /m.test(said) || demo.exitCode !== null, READY_WITHIN_MS);
    expect(said).toMatch(/^Dashboard: http:\/\/127\.0\.0\.1:\d+\/\n/);
    const [, dashboard = ''] = /^Dashboard: (\S+)$/m.exec(said) ?? [];
    expect(new URL(dashboard).port).not.toBe('8081');

    expect(processesOf(folder)).toHaveLength(PROGRAMS + 1);
    const seen = await until('the nodes tell of the players', async () => {
      const { nodes } = await get<Nodes>(`${dashboard}api/v1/nodes`);
      return nodes.reduce((sum, { load }) => sum + load.players, 0) >= PLAYERS / 2 && nodes;
    });
    expect(seen.map(({ node, region }) => [node, region])).toEqual([
      ['coast-1', 'coast'],
      ['coast-2', 'coast'],
      ['hills-1', 'hills'],
    ]);
    // The clock is pulled over the node in the middle: so there is a tree to see, and one that can break.
    const replicas = await until('each stream has come to those who play it', async () => {
      const { streams } = await get<Streams>(`${dashboard}api/v1/streams`);
      return streams.flatMap((row) => row.replicas).length >= 5 && streams;
    });
    expect(replicas.map(({ key }) => key)).toEqual(['live/bars', 'live/clock', 'radio/tone']);
    expect(replicas[1]?.replicas.map(({ node, upstream }) => [node, upstream])).toEqual([
      ['coast-2', 'coast-1'],
      ['hills-1', 'coast-2'],
    ]);

    // Nodes that begin at once know nothing of each other's regions, and pull streams already.
    await until('what goes to the other region costs, and is counted where it comes', async () => {
      const { rows } = await get<Traffic>(`${dashboard}api/v1/traffic?by=regions`);
      const costs = (from: string, to: string) =>
        rows.some(({ ownRegion, region, cost }) => ownRegion === from && region === to && cost > 0);
      const comes = (from: string, to: string) =>
        rows.some((row) => row.direction === 'in' && row.region === from && row.ownRegion === to);
      return costs('coast', 'hills') && costs('hills', 'coast') && comes('coast', 'coast');
    });

    const [, pid] = /coast-2 .* process (\d+)$/m.exec(said) ?? [];
    const [, secret = ''] =
      /(?:^|\0)TIDEWAY_MESH_SECRET=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, 'latin1')) ?? [];
    process.kill(Number(pid), 'SIGKILL');
    await until('it tells that the node is gone', () => said.includes('coast-2 is gone: SIGKILL.'));
    secretScan.use(secret);
    secretScan.output(said);
    const [, logs = ''] = /^Logs: (\S+)/m.exec(said) ?? [];
    for (const { node } of seen) {
      const log = readFileSync(join(logs, `${node}.log`), 'utf8').split('\n');
      expect(log.length, node).toBeGreaterThan(2);
      for (const line of log) secretScan.line(line);
    }
  } finally {
    demo.kill('SIGINT');
    squatter.close();
  }
  expect(await closed, said).toEqual([0, null]);
  expect(processesOf(folder)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
  rmdirSync(folder);
}, 60_000);

test('the demo says what it takes', async () => {
  const demo = spawn(process.execPath, [DEMO, '--players', 'many']);
  let said = '';
  demo.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  expect(await once(demo, 'close')).toEqual([1, null]);
  expect(said).toBe(
    'demo: --players wants a whole number up to 2000; it takes --redis URL and --players N\n',
  );
});
