// What the commands do. `start` runs one node from its configuration until the process has to end; the others ask a
// running one.
import { networkInterfaces } from 'node:os';
import { systemClock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import { createLog, type Log } from '../base/log.ts';
import type { Config } from '../config/schema.ts';
import type { Envelope } from '../http/forms/common.ts';
import { RelayNode, version } from '../node/relay-node.ts';
import { banner } from './banner.ts';
import { nodesText, streamsText } from './cluster-tables.ts';
import { decisionsText } from './decision-tables.ts';
import { drainText, orderDrain } from './drain.ts';
import type { AskOptions, DrainOrder } from './invocation.ts';
import { askDecisions, askNodes, askStreams, type NodeApiOptions } from './node-api.ts';
import { type ProcessEnd, processEnds } from './process-end.ts';

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

/**
 * Prints the nodes of the cluster.
 * @throws TidewayError `cli.unreachable`, `cli.refused`, `cli.not-tideway`
 */
export async function showNodes(ask: AskOptions, process: NodeJS.Process): Promise<ExitCode> {
  const answer = await askNodes(nodeApi(ask, process.env));
  noteOutage(answer, process);
  await print(ask.isJson ? jsonText(answer) : nodesText(answer), process);
  return 0;
}

/**
 * Prints the streams of the cluster.
 * @throws TidewayError as `showNodes` does
 */
export async function showStreams(
  ask: AskOptions,
  { limit }: { limit: string | undefined },
  process: NodeJS.Process,
): Promise<ExitCode> {
  const answer = await askStreams(nodeApi(ask, process.env), { limit });
  noteOutage(answer, process);
  if (answer.truncated) {
    process.stderr.write(`tideway: there are more: these are the first ${answer.streams.length} (--limit)\n`);
  }
  await print(ask.isJson ? jsonText(answer) : streamsText(answer), process);
  return 0;
}

/**
 * Prints why nodes were chosen for a stream.
 * @throws TidewayError as `showNodes` does
 */
export async function showDecisions(
  ask: AskOptions,
  asked: { stream: string; limit: string | undefined },
  process: NodeJS.Process,
): Promise<ExitCode> {
  const answer = await askDecisions(nodeApi(ask, process.env), asked);
  await print(ask.isJson ? jsonText(answer) : decisionsText(answer), process);
  return 0;
}

/**
 * Empties a node, or undoes that; prints how it stands then.
 * @throws TidewayError as `showNodes` does, and `cli.drain-undone`
 */
export async function drain(ask: AskOptions, order: DrainOrder, process: NodeJS.Process): Promise<ExitCode> {
  const note = (line: string) => process.stderr.write(`tideway: ${line}\n`);
  const answer = await orderDrain(order, nodeApi(ask, process.env), { clock: systemClock, note });
  await print(ask.isJson ? jsonText(answer) : `${drainText(answer)}\n`, process);
  return 0;
}

/** Where the node of this machine listens, unless another was named. */
function nodeApi({ url, token }: AskOptions, env: NodeJS.ProcessEnv): NodeApiOptions {
  return {
    url: url ?? `http://127.0.0.1:${env.TIDEWAY_HTTP_PORT || '8080'}`,
    token: token ?? (env.TIDEWAY_API_TOKEN || undefined),
  };
}

function noteOutage({ registry, node }: Envelope, process: NodeJS.Process): void {
  if (registry === 'away') {
    process.stderr.write(`tideway: the registry is away: this is what ${node} itself knows\n`);
  }
}

function jsonText(answer: unknown): string {
  return `${JSON.stringify(answer, undefined, 2)}\n`;
}

/** Waits until a pipe has taken it all: the process exits behind it. */
function print(text: string, { stdout }: NodeJS.Process): Promise<void> {
  return new Promise((resolve) => {
    // Who reads no further, such as `head`, has had enough.
    stdout.once('error', () => resolve());
    stdout.write(text, () => resolve());
  });
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
