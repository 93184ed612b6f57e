// The floors: bare servers, one in Node and one in C, that write the recorded flushes of tideway to whoever is connected
// and do nothing else. What a server costs beyond them is its own.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../test/support/free-ports.ts';
import { PROJECT_FOLDER } from '../../../test/support/node-process.ts';
import { isThere } from '../programs.ts';
import { type RunningSubject, ServerProcess, type StartOptions, type Subject } from './subject.ts';

const NODE_FLOOR = fileURLToPath(new URL('../floor.js', import.meta.url));
const C_SOURCE = join(PROJECT_FOLDER, 'bench/fan-out/floor.c');
const C_FLOOR = join(dirname(NODE_FLOOR), 'floor');

export const floorNode: Subject = {
  name: 'floor-node',
  missing: () => undefined,
  start: (options) => start('floor-node', [process.execPath, NODE_FLOOR], options),
};

export const floorC: Subject = {
  name: 'floor-c',
  missing: () => (isThere('cc', '--version') ? undefined : 'apt-get install gcc libc6-dev'),
  start(options) {
    compile();
    return start('floor-c', [C_FLOOR], options);
  },
};

/** @throws Error with what the compiler said */
function compile(): void {
  mkdirSync(dirname(C_FLOOR), { recursive: true });
  const { status, stderr } = spawnSync('cc', ['-O2', '-o', C_FLOOR, C_SOURCE], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cc ${C_SOURCE}: ${stderr}`);
}

async function start(
  name: string,
  command: readonly string[],
  { core, record = '' }: StartOptions,
): Promise<RunningSubject> {
  const port = await freePort();
  const server = new ServerProcess(name, [...command, record, String(port)], { core });
  try {
    await server.listens(port);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return {
    pids: [server.pid],
    publishUrl: undefined,
    at: () => `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
