// The commands that ask a running node: the question, the answer as text or as JSON, what is said beside it.
import { systemClock } from '../base/clock.ts';
import type { Envelope } from '../http/forms/common.ts';
import { alarmsText } from './alarm-text.ts';
import { nodesText, streamsText } from './cluster-tables.ts';
import { decisionsText } from './decision-tables.ts';
import { drainText, orderDrain } from './drain.ts';
import { eventLine, eventsText } from './event-lines.ts';
import type { ExitCode } from './exit-code.ts';
import { follow } from './follow.ts';
import type { AskOptions, Invocation } from './invocation.ts';
import { linksText } from './link-table.ts';
import { listen } from './live-api.ts';
import {
  askAlarms,
  askDecisions,
  askEvents,
  askLinks,
  askNodes,
  askSessions,
  askStatus,
  askStream,
  askStreams,
  askTraffic,
  kickSession,
  type NodeApiOptions,
} from './node-api.ts';
import { type Paint, paintFor } from './paint.ts';
import { print } from './print.ts';
import { safeJson, safeText } from './safe-text.ts';
import { kickedText, sessionsText } from './session-table.ts';
import { isWell, statusText } from './status-text.ts';
import { STREAM_SORTS } from './stream-sort.ts';
import { streamText } from './stream-text.ts';
import { top } from './top.ts';
import type { TopFacts, TopView } from './top-screen.ts';
import { trafficText } from './traffic-table.ts';

/** A command that asks a running node. */
export type Asking = Extract<Invocation, { readonly ask: AskOptions }>;

type Run<K extends Asking['run']> = Extract<Asking, { readonly run: K }>;

/** As the API counts: alarms that last come first, and a screen has no room for more. */
const STATUS_ALARMS = '100';

/**
 * Asks, and prints the answer.
 * @throws TidewayError `cli.unreachable`, `cli.refused`, `cli.not-tideway`, `cli.drain-undone`
 */
export function show(command: Asking, process: NodeJS.Process): Promise<ExitCode> {
  const asker = new Asker(command.ask, process);
  switch (command.run) {
    case 'status':
      return showStatus(command, asker);
    case 'nodes':
      return asker.show(askNodes(asker.node), nodesText);
    case 'links':
      return asker.show(askLinks(asker.node, command.query), linksText);
    case 'streams':
      return asker.show(askStreams(asker.node, command.query), streamsText);
    case 'stream':
      return asker.show(askStream(asker.node, command.key), streamText);
    case 'sessions':
      return asker.show(askSessions(asker.node, command.query), sessionsText);
    case 'kick':
      return asker.show(kickSession(asker.node, command.session), kickedText);
    case 'alarms':
      return asker.show(askAlarms(asker.node, command.query), alarmsText);
    case 'events':
      return command.follows ? followEvents(command, asker) : showEvents(command, asker);
    case 'traffic':
      return asker.show(askTraffic(asker.node, command.query), trafficText);
    case 'why':
      return asker.show(askDecisions(asker.node, command.query), decisionsText);
    case 'top':
      return showTop(command, asker);
    case 'drain':
      return asker.show(
        orderDrain(command.order, asker.node, { clock: systemClock, note: asker.note }),
        (answer) => `${drainText(answer)}\n`,
      );
  }
}

async function showStatus({ isQuiet }: Run<'status'>, asker: Asker): Promise<ExitCode> {
  const status = await askStatus(asker.node);
  if (!isQuiet && asker.isJson) await asker.print(safeJson(status, 2));
  else if (!isQuiet) {
    const [nodes, alarms] = await Promise.all([
      askNodes(asker.node),
      askAlarms(asker.node, { limit: STATUS_ALARMS }),
    ]);
    await asker.print(statusText({ status, nodes, alarms }, asker.paint));
  }
  return isWell(status) ? 0 : 3;
}

function showEvents({ query }: Run<'events'>, asker: Asker): Promise<ExitCode> {
  return asker.show(askEvents(asker.node, query), ({ events }, paint) => eventsText(events, paint));
}

async function followEvents({ query }: Run<'events'>, asker: Asker): Promise<ExitCode> {
  const { stream, node } = query;
  await follow(
    (event) =>
      (stream === undefined || event.stream === stream) && (node === undefined || event.node === node),
    {
      clock: systemClock,
      list: async () => (await askEvents(asker.node, query)).events,
      listen: () => listen(asker.node, ['events']),
      tell: (event) => asker.print(asker.isJson ? safeJson(event, 0) : eventLine(event, asker.paint)),
      note: asker.note,
    },
  );
  return 0;
}

async function showTop({ ask, view, limit, looks }: Run<'top'>, asker: Asker): Promise<ExitCode> {
  const { node, process } = asker;
  const look = async ({ sort }: TopView): Promise<TopFacts> => {
    const [status, nodes, streams, alarms] = await Promise.all([
      askStatus(node),
      askNodes(node),
      askStreams(node, { sort: STREAM_SORTS[sort], limit }),
      askAlarms(node, { limit: STATUS_ALARMS }),
    ]);
    return { status, nodes, streams, alarms };
  };
  await top({ view, looks, isJson: ask.isJson }, { clock: systemClock, look, process });
  return 0;
}

/** Who asks, and how the answer is to be shown. */
class Asker {
  readonly node: NodeApiOptions;
  readonly isJson: boolean;
  readonly paint: Paint;
  readonly process: NodeJS.Process;

  constructor({ url, token, isJson }: AskOptions, process: NodeJS.Process) {
    const { env, stdout } = process;
    this.process = process;
    this.isJson = isJson;
    this.paint = paintFor(stdout, env);
    this.node = {
      // Where the node of this machine listens, unless another was named.
      url: url ?? `http://127.0.0.1:${env.TIDEWAY_HTTP_PORT || '8080'}`,
      token: token ?? (env.TIDEWAY_API_TOKEN || undefined),
    };
  }

  /** One line beside what was asked for. */
  readonly note = (line: string): void => {
    this.process.stderr.write(`tideway: ${safeText(line)}\n`);
  };

  async show<T extends object>(asked: Promise<T>, textOf: (answer: T, paint: Paint) => string): Promise<0> {
    const answer = await asked;
    this.#noteFlaws(answer);
    await this.print(this.isJson ? safeJson(answer, 2) : textOf(answer, this.paint));
    return 0;
  }

  /** A text that has lines of its own, or a document without. */
  print(text: string): Promise<'taken' | 'gone'> {
    return print(text.endsWith('\n') ? text : `${text}\n`, this.process);
  }

  #noteFlaws(answer: Partial<Envelope & { truncated: boolean; total: number }>): void {
    if (answer.registry === 'away') {
      this.note(`the registry is away: this is what ${answer.node} itself knows`);
    }
    if (answer.truncated) this.note(`there are more: ${answer.total} in all (--limit)`);
  }
}
