// What the commands do. `start` runs one node from its configuration until the process has to end.
import { networkInterfaces } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { createLog, type Log } from '../base/log.ts';
import type { Config } from '../config/schema.ts';
import { RelayNode, version } from '../node/relay-node.ts';
import { banner } from './banner.ts';
import { type ProcessEnd, processEnd } from './process-end.ts';

/** 0: as asked. 1: it could not run, or failed. 2: wrong arguments or configuration. */
export type ExitCode = 0 | 1 | 2;

/** What a node may take beyond `shutdown.graceMs` to close its own things. */
const STOP_MARGIN_MS = 1_000;

/**
 * Runs a node. Logs go to standard output, the lines to paste to standard error.
 * @returns the exit code, once the node has stopped
 * @throws TidewayError when it can't start, such as `listen.busy`
 */
export async function start(config: Config, process: NodeJS.Process): Promise<ExitCode> {
  const log = createLog({ level: config.log.level, node: config.node.id });
  const ending = processEnd(process, log);
  const node = new RelayNode({ config, log, clock: systemClock });
  await node.start();
  process.stderr.write(banner({ config, version: version(), ...node.addresses, lanAddress: lanAddress() }));
  return stop(node, await ending, { log, graceMs: config.shutdown.graceMs });
}

async function stop(
  node: Pick<RelayNode, 'stop'>,
  end: ProcessEnd,
  { log, graceMs }: { log: Log; graceMs: number },
): Promise<ExitCode> {
  const overdue = new Promise<'overdue'>((resolve) => {
    systemClock.after(graceMs + STOP_MARGIN_MS, () => resolve('overdue'));
  });
  try {
    if ((await Promise.race([node.stop(end.why), overdue])) !== 'overdue') return end.exitCode;
    log.error({ graceMs }, 'process.stop-overdue');
  } catch (error) {
    log.error({ err: error }, 'process.stop-failed');
  }
  return 1;
}

function lanAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}
