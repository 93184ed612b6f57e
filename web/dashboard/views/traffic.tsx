// Bytes and what they cost: by node, stream, protocol or pair of regions, since the nodes' start and within their window.
import type { TrafficAnswer } from '../../../src/http/forms/traffic.ts';
import { bytes, cost, count, NOTHING, span } from '../format.ts';
import { Empty, Failed, Figure, Missing, Panel } from '../parts.tsx';
import { hashOf, type TrafficBy } from '../route.ts';
import { usePoll } from '../services.ts';
import { type Column, Table } from '../table.tsx';

type Row = TrafficAnswer['rows'][number];

const POLL_MS = 5000;
const MOST = 1000;
const SUMS: readonly (readonly [TrafficBy, string])[] = [
  ['node', 'By node'],
  ['stream', 'By stream'],
  ['protocol', 'By protocol'],
  ['regions', 'By regions'],
  ['all', 'All'],
];

export function TrafficView({ by }: { by: TrafficBy }) {
  const { answer, latest, failed } = usePoll<TrafficAnswer>(`traffic?by=${by}&limit=${MOST}`, POLL_MS);
  const shown = answer ?? latest;
  const windowWords = shown ? span(shown.windowMs) : '';
  return (
    <>
      <h1>Traffic</h1>
      {shown && <Sums rows={shown.rows} windowWords={windowWords} />}
      <Panel
        title="Bytes and cost"
        id="traffic-title"
        aside={
          <nav class="choice" aria-label="Summed up">
            {SUMS.map(([each, words]) => (
              <a
                key={each}
                href={hashOf({ at: 'traffic', by: each })}
                {...(each === by && { 'aria-current': 'page' as const })}
              >
                {words}
              </a>
            ))}
          </nav>
        }
      >
        <Failed failed={failed} />
        <Missing stale={shown?.stale} />
        {shown ? (
          <>
            <p class="quiet">
              Media and its framing, since each node was started; “of late” is the last {windowWords}. Both
              are kept in memory, and gone with the process. Costs are by routing.prices, of bytes out to
              another region.
            </p>
            <Table
              caption={`Traffic ${by === 'all' ? 'in all detail' : `by ${by}`}`}
              columns={columnsFor(shown.by, windowWords)}
              rows={shown.rows}
              keyOf={keyOf}
              first={{ column: 'bytes', order: 'down' }}
              empty="No byte of media was sent or received yet."
            />
            {shown.truncated && (
              <p class="quiet">
                {count(shown.rows.length)} rows of {count(shown.total)}.
              </p>
            )}
          </>
        ) : (
          <Empty>Asking the nodes …</Empty>
        )}
      </Panel>
    </>
  );
}

function Sums({ rows, windowWords }: { rows: readonly Row[]; windowWords: string }) {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const way = (direction: Row['direction']) => sum((row) => (row.direction === direction ? row.bytes : 0));
  return (
    <dl class="figures">
      <Figure label="In" value={bytes(way('in'))} note="also from other nodes" />
      <Figure label="Out" value={bytes(way('out'))} note="also to other nodes" />
      <Figure label="Of late" value={bytes(sum((row) => row.windowBytes))} note={`within ${windowWords}`} />
      <Figure
        label="Cost"
        value={cost(sum((row) => row.cost))}
        note={`${cost(sum((row) => row.windowCost))} within ${windowWords}`}
      />
    </dl>
  );
}

function keyOf({ node, stream, protocol, direction, region, ownRegion }: Row): string {
  return JSON.stringify([node, stream, protocol, direction, region, ownRegion]);
}

function columnsFor(by: TrafficBy, windowWords: string): Column<Row>[] {
  const node: Column<Row> = {
    id: 'node',
    title: 'Node',
    cell: (row) => (row.node ? <a href={hashOf({ at: 'node', node: row.node })}>{row.node}</a> : NOTHING),
    by: (row) => row.node ?? '',
  };
  const stream: Column<Row> = {
    id: 'stream',
    title: 'Stream',
    cell: (row) =>
      row.stream ? <a href={hashOf({ at: 'stream', key: row.stream })}>{row.stream}</a> : 'all others',
    by: (row) => row.stream ?? '',
  };
  const protocol: Column<Row> = {
    id: 'protocol',
    title: 'Protocol',
    cell: (row) => (row.protocol === 'mesh' ? 'between nodes' : (row.protocol ?? NOTHING)),
    by: (row) => row.protocol ?? '',
  };
  const regions: Column<Row> = {
    id: 'regions',
    title: 'Regions',
    cell: regionWords,
    by: regionWords,
  };
  const heads = {
    node: [node],
    stream: [stream],
    protocol: [protocol],
    regions: [regions],
    all: [node, stream, protocol, regions],
  };
  return [
    ...heads[by],
    { id: 'direction', title: 'Way', cell: ({ direction }) => direction, by: ({ direction }) => direction },
    { id: 'bytes', title: 'Bytes', isNumeric: true, cell: (row) => bytes(row.bytes), by: (row) => row.bytes },
    {
      id: 'window',
      title: `Last ${windowWords}`,
      isNumeric: true,
      cell: (row) => bytes(row.windowBytes),
      by: (row) => row.windowBytes,
    },
    { id: 'cost', title: 'Cost', isNumeric: true, cell: (row) => cost(row.cost), by: (row) => row.cost },
    {
      id: 'windowCost',
      title: `Cost, last ${windowWords}`,
      isNumeric: true,
      cell: (row) => cost(row.windowCost),
      by: (row) => row.windowCost,
    },
  ];
}

function regionWords({ ownRegion, region, direction }: Row): string {
  const own = ownRegion || 'no region';
  const ends = direction === 'in' ? 'publishers' : 'players';
  const other = region === null || region === undefined ? ends : region || 'no region';
  return direction === 'in' ? `${other} → ${own}` : `${own} → ${other}`;
}
