// What tideway promises in the benchmark, each promise held against the rows of a run. Pure: a run that is too small, or on
// a busy machine, may miss one; the table says so and nothing fails.
import { medianOf, type Row, ratioOf, spreadsOf, tidewayRowFor } from './figures.ts';

interface Bar {
  readonly text: string;
  /** Of these rows it is told, one line each. */
  of(row: Row): boolean;
  value(row: Row, rows: readonly Row[]): number | undefined;
  isMet(value: number): boolean;
}

export interface Verdict {
  readonly text: string;
  /** `fan-out, 500 players of 1 Mbit/s` */
  readonly where: string;
  readonly value: number;
  readonly isMet: boolean;
}

function atMost(most: number, text: string, of: Bar['of'], value: Bar['value']): Bar {
  return { text: `${text} <= ${most}`, of, value, isMet: (measured) => measured <= most };
}

function atLeast(least: number, text: string, of: Bar['of'], value: Bar['value']): Bar {
  return { text: `${text} >= ${least}`, of, value, isMet: (measured) => measured >= least };
}

function own(name: string): Bar['of'] {
  return (row) => row.case === name && row.subject === 'tideway' && row.format === 'http-flv';
}

function other(subject: string): Bar['of'] {
  return (row) => row.case === 'fan-out' && row.subject === subject;
}

function figure(name: string): Bar['value'] {
  return (row) => spreadsOf(row)[name]?.median;
}

function ratio(name: string): Bar['value'] {
  return (row, rows) => {
    const tideway = tidewayRowFor(rows, row);
    return tideway && ratioOf(tideway, row, name)?.median;
  };
}

function sized(players: number, mbps: number, of: Bar['of']): Bar['of'] {
  return (row) => row.players === players && row.mbps === mbps && of(row);
}

const BARS: readonly Bar[] = [
  ...[500, 2000].flatMap((players) => [
    atMost(
      1.15,
      'CPU s/GB, tideway over the floor in Node',
      sized(players, 1, other('floor-node')),
      ratio('cpuSecondsPerGB'),
    ),
    atMost(
      1.45,
      'CPU s/GB, tideway over the floor in C',
      sized(players, 1, other('floor-c')),
      ratio('cpuSecondsPerGB'),
    ),
  ]),
  atMost(
    1 / 3,
    'CPU s/GB, tideway over node-media-server',
    sized(500, 1, other('node-media-server')),
    ratio('cpuSecondsPerGB'),
  ),
  atMost(1, 'delay p50 ms, 1 player', sized(1, 1, own('fan-out')), figure('delayMs.p50')),
  atMost(4, 'delay p99 ms, 1 player', sized(1, 1, own('fan-out')), figure('delayMs.p99')),
  atMost(20, 'delay p50 ms', sized(500, 1, own('fan-out')), figure('delayMs.p50')),
  atMost(50, 'delay p99 ms', sized(500, 1, own('fan-out')), figure('delayMs.p99')),
  atMost(25, 'KB of memory a player', own('fan-out'), figure('rssPerPlayerKB')),
  atLeast(0.995, 'delivery', own('fan-out'), figure('delivery')),
  atMost(50, 'first key frame of a new player, p99 ms', own('join'), figure('joinMs.p99')),
  atLeast(0.999, 'delivery to those that play while others join', own('join'), figure('delivery')),
  atMost(500, 'first key frame in a storm of joins, p99 ms', own('storm'), figure('joinMs.p99')),
  atMost(250, 'longest pause of those that play in a storm, ms', own('storm'), figure('longestPauseMs')),
  atMost(0, 'publishers lost', own('ingest'), figure('publishersLost')),
  atMost(1, 'CPU s/GB of ingest', own('ingest'), figure('cpuSecondsPerGB')),
  atMost(1, 'cores taken by ingest', own('ingest'), figure('serverCore')),
  atMost(2, 'bytes over payload of a hop, %', own('relay'), figure('bytesOverPayloadPercent')),
  atMost(1.5, 'p99 delay beside frozen players over that without', own('slow'), besideFrozen),
  atMost(19.2, 'MiB of memory for frozen players', own('slow'), figure('rssGrowthMB')),
  atLeast(1, 'part of the frozen players that is closed', own('slow'), closedShare),
  atMost(5, 'drift of memory under churn, %', own('churn'), figure('rssDriftPercent')),
];

/** Each bar for each row that it is about and that has the figure. */
export function verdictsOf(rows: readonly Row[]): Verdict[] {
  return BARS.flatMap(({ text, of, value, isMet }) =>
    rows.filter(of).flatMap((row) => {
      const measured = value(row, rows);
      if (measured === undefined) return [];
      const where = `${row.case}, ${row.players} of ${row.mbps} Mbit/s`;
      return [{ text, where, value: measured, isMet: isMet(measured) }];
    }),
  );
}

function besideFrozen(row: Row): number | undefined {
  return medianOf(
    row.rounds.map(({ figures }) => {
      const [beside, without] = [figures['delayMs.p99'], figures.p99WithoutFrozenMs];
      return beside === undefined || without === undefined ? undefined : beside / without;
    }),
  );
}

function closedShare(row: Row): number | undefined {
  const closed = spreadsOf(row).frozenClosed?.median;
  return closed === undefined ? undefined : closed / row.players;
}
