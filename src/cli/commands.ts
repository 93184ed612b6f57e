// `tideway start`: runs one node from its configuration until the process has to end.
import { networkInterfaces } from 'node:os';
import { systemClock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { createLog, type Log, standardOutput } from '../base/log.ts';
import type { Config } from '../config/schema.ts';
import { RelayNode, version } from '../node/relay-node.ts';
import { banner } from './banner.ts';
import type { ExitCode } from './exit-code.ts';
import { type ProcessEnd, processEnds } from './process-end.ts';

/** What a node may take beyond `shutdown.graceMs` to close its own things. */
const STOP_MARGIN_MS = 1_000;

/**
 * Runs a node. Logs go to standard output, the lines to paste to standard error.
 * @returns the exit code, once the node has stopped
 * @throws TidewayError when it can't start, such as `listen.busy`
 */
export async function start(config: Config, process: NodeJS.Process): Promise<ExitCode> {
  const log = await openLog(config, process);
  const { asked, failed: crashed } = processEnds(process, log);
  let fail: (end: ProcessEnd) => void = () => {};
  const takenOver = new Promise<ProcessEnd>((resolve) => {
    fail = resolve;
  });
  const failed = (why: Reason) => {
    process.stderr.write(`tideway: ${why.message}\n`);
    fail({ why, exitCode: 1 });
  };
  const node = new RelayNode({ config, log, clock: systemClock, failed });
  await node.start();
  process.on('SIGHUP', () => void node.reloadCertificates());
  process.stderr.write(banner({ config, version: version(), ...node.addresses, lanAddress: lanAddress() }));
  const broken = Promise.race([crashed, takenOver]);
  let end = await Promise.race([asked, broken]);
  const { graceMs, drainSeconds } = config.shutdown;
  if (end.exitCode === 0 && drainSeconds > 0) {
    const order = end;
    process.stderr.write(`tideway: drains for at most ${drainSeconds} s; a second signal ends it at once\n`);
    end = await Promise.race([node.drain().then(() => order), broken]);
  }
  return stop(node, end, { log, graceMs });
}

/** Lines for people where people look, unless `log.format` says. */
async function openLog({ log, node }: Config, { stdout }: NodeJS.Process): Promise<Log> {
  const options = { level: log.level, node: node.id };
  const isForPeople = log.format === 'pretty' || (log.format === 'auto' && stdout.isTTY === true);
  if (!isForPeople) return createLog(options);
  // Its package is loaded by who needs it only: commands are to answer at once.
  const { prettyLine } = await import('./pretty-log.ts');
  const line = prettyLine({ colors: stdout.isTTY === true && stdout.hasColors() });
  const output = standardOutput();
  return createLog(options, { write: (json) => void output.write(line(json)) });
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
