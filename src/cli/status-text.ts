// `tideway status`: a cluster on one screen, what is wrong in it, and what to do. Pure.
import type { AlarmsAnswer } from '../http/forms/alarms.ts';
import type { NodesAnswer, StatusAnswer } from '../http/forms/nodes.ts';
import { adviceFor, alarmTable } from './alarm-text.ts';
import { type Paint, plain } from './paint.ts';
import { safeText } from './safe-text.ts';
import { staleText } from './stale-text.ts';
import { numberColumns, tableText } from './table.ts';
import { bytesText, counted, durationText, mbitText, NONE, percentText } from './units.ts';

/** All that the screen is made of. */
export interface StatusFacts {
  readonly status: StatusAnswer;
  readonly nodes: NodesAnswer;
  readonly alarms: AlarmsAnswer;
}

/** Something that is wrong, and what to do. */
export interface Trouble {
  readonly what: string;
  readonly advice: string;
}

const REGION_COLUMNS = [{ head: 'REGION' }, ...numberColumns(['NODES', 'STREAMS', 'PLAYERS', 'OUT'])];
/** So many names are told. */
const MAX_NAMES = 8;

/** Whether all is well, as scripts ask: no alarm lasts, no node is silent, and the one that answers can do its work. */
export function isWell({ notReady, trouble, registry, cluster }: StatusAnswer): boolean {
  return (
    notReady === null &&
    trouble === null &&
    registry === 'up' &&
    cluster.alarms === 0 &&
    cluster.nodes.silent === 0
  );
}

/** The whole screen. */
export function statusText(facts: StatusFacts, paint: Paint = plain): string {
  const { status, alarms } = facts;
  const lasting = alarms.alarms.filter(({ until }) => until === null);
  const parts = [
    sumsText(status, paint),
    regionsText(status, paint),
    lasting.length === 0 ? '' : alarmTable(lasting, alarms.asOf, paint),
    troublesText(facts, paint),
  ];
  return parts.filter((part) => part !== '').join('\n') + staleText(alarms.stale);
}

/** The sums of a cluster in four lines. */
export function sumsText({ node, version, uptimeMs, registry, cluster }: StatusAnswer, paint: Paint): string {
  const { nodes, alarms, players, publishers, streams } = cluster;
  const silent = nodes.silent === 0 ? '0 silent' : paint(`${nodes.silent} silent`, 'bad');
  const draining = nodes.draining === 0 ? '0 draining' : paint(`${nodes.draining} draining`, 'warn');
  const lasting = counted(alarms, 'alarm', 'alarms');
  const registryText = registry === 'up' ? 'up' : paint('away', 'bad');
  return [
    `Tideway ${safeText(version)} on ${node}, up for ${durationText(uptimeMs)}; registry ${registryText}`,
    `Nodes    ${nodes.up} up, ${draining}, ${silent}; ${alarms === 0 ? lasting : paint(lasting, 'bad')}`,
    `Serving  ${counted(players, 'player', 'players')}, ${counted(publishers, 'publisher', 'publishers')}, ${counted(streams, 'copy', 'copies')} of streams`,
    `Traffic  in ${mbitText(cluster.receivedBytesPerS * 8)}, out ${outText(cluster)}`,
    '',
  ].join('\n');
}

/** What is wrong: first what is wrong with the node that answers, then with others, then with streams. */
export function troublesOf({ status, nodes, alarms }: StatusFacts): Trouble[] {
  const troubles: Trouble[] = [];
  const { node, notReady, trouble, registry, cluster } = status;
  for (const reason of [notReady, trouble]) {
    if (!reason) continue;
    troubles.push({
      what: `${node}${reason === notReady ? ' takes nobody' : ''}: ${reason.message}`,
      advice: `docs/errors.md has ${reason.code}`,
    });
  }
  if (registry === 'away' && trouble === null && notReady === null) {
    troubles.push({
      what: `the registry does not answer ${node}: what runs goes on`,
      advice: 'start it again, or mend the way to it (registry.url)',
    });
  }
  const silent = nodes.nodes.filter(({ leaseMs }) => leaseMs === 0).map((row) => row.node);
  if (cluster.nodes.silent > 0) {
    troubles.push({
      what: `${namesText(silent, cluster.nodes.silent)} silent: no heartbeat comes to the registry`,
      advice:
        registry === 'away'
          ? 'no node is heard while the registry is away: LINK of "tideway nodes" tells which of them go on'
          : 'does the process run, and reach the registry? its log tells; one that is gone is forgotten in time',
    });
  }
  for (const alarm of alarms.alarms) {
    if (alarm.until === null) {
      troubles.push({ what: `${alarm.stream}: ${alarm.detail}`, advice: adviceFor(alarm) });
    }
  }
  const untold = cluster.alarms - alarms.alarms.filter(({ until }) => until === null).length;
  if (untold > 0) {
    troubles.push({ what: counted(untold, 'more alarm', 'more alarms'), advice: 'tideway alarms' });
  }
  return troubles;
}

function troublesText(facts: StatusFacts, paint: Paint): string {
  const troubles = troublesOf(facts);
  if (troubles.length === 0) {
    return isWell(facts.status) ? `${paint('All is well.', 'good')}\n` : '';
  }
  const lines = troubles.map(({ what, advice }) => `  ${safeText(what)}\n    ${safeText(advice)}\n`);
  return `${paint('Wrong, and what to do:', 'bad')}\n${lines.join('')}`;
}

function namesText(names: readonly string[], count: number): string {
  const told = names.slice(0, MAX_NAMES);
  const more = count - told.length;
  const list = [...told, ...(more > 0 ? [counted(more, 'node more', 'nodes more')] : [])].join(', ');
  return `${list} ${count === 1 ? 'is' : 'are'}`;
}

function regionsText({ cluster }: StatusAnswer, paint: Paint): string {
  if (cluster.regions.every(({ region }) => region === '')) return '';
  return tableText(
    REGION_COLUMNS,
    cluster.regions.map(({ region, nodes, streams, players, sentBytesPerS }) => [
      region || NONE,
      ...[nodes, streams, players].map(String),
      mbitText(sentBytesPerS * 8),
    ]),
    paint,
  );
}

function outText({ sentBytesPerS, capacityBytesPerS }: StatusAnswer['cluster']): string {
  const sent = mbitText(sentBytesPerS * 8);
  if (capacityBytesPerS === 0) return sent;
  return `${sent}, ${percentText(sentBytesPerS / capacityBytesPerS)} of ${bytesText(capacityBytesPerS)}/s`;
}
