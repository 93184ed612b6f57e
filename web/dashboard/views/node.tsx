// One node: how it is and what it carries, its links, its streams and who is there.
import { useMemo } from 'preact/hooks';
import type { LinksAnswer, NodeLink, NodeRow } from '../../../src/http/forms/nodes.ts';
import type { StreamRow, StreamsAnswer } from '../../../src/http/forms/streams.ts';
import { Chart } from '../chart.tsx';
import { bits, bitsOfBytes, bytes, codecs, count, millis, NOTHING, percent, span } from '../format.ts';
import type { LoadSample } from '../load-history.ts';
import { nodeState } from '../node-state.ts';
import { Empty, Facts, Failed, Figure, Meter, Missing, Panel, State } from '../parts.tsx';
import { hashOf, withQuery } from '../route.ts';
import { useLive, usePoll } from '../services.ts';
import { Sessions } from '../sessions-table.tsx';
import { type Column, Table } from '../table.tsx';

const POLL_MS = 2000;
const ROWS = 100;
const NO_SAMPLES: readonly LoadSample[] = [];

export function NodeView({ node }: { node: string }) {
  const row = useLive((live) => live.nodes.get(node));
  const isTold = useLive((live) => !live.expectsAllNodes);
  const samples = useLive((live) => live.loads.get(node)) ?? NO_SAMPLES;
  const { tone, word } = nodeState(row);
  return (
    <>
      <header class="view-head">
        <h1>{node}</h1>
        {isTold && <State tone={tone}>{word}</State>}
        {row?.self && <span class="tag">answers here</span>}
      </header>
      {row ? (
        <Load row={row} />
      ) : (
        <Empty>{isTold ? 'The cluster knows no such node now.' : 'Asking …'}</Empty>
      )}
      {row && samples.length > 1 && <Past samples={samples} />}
      <Links node={node} />
      <Streams node={node} />
      <Panel title="Sessions" id="sessions-title">
        <Sessions caption={`Sessions at ${node}`} stream="" node={node} />
      </Panel>
      {row && <About row={row} />}
    </>
  );
}

function Load({ row: { load, draining } }: { row: NodeRow }) {
  const { cpu, memory, loopBusy, loopLagMs, sentBytesPerS, receivedBytesPerS, capacityBytesPerS } = load;
  return (
    <>
      {draining && (
        <p class="notice warn">
          <State tone="warn">It drains:</State> it takes nobody new, and sends away whom it can.{' '}
          {count(load.players)} players and {count(load.publishers)} publishers are left.
        </p>
      )}
      <dl class="figures">
        <Figure label="CPU" value={percent(cpu)} note={<Meter share={cpu} label="" />} />
        <Figure label="Memory" value={percent(memory)} note={<Meter share={memory} label="" />} />
        <Figure label="Event loop" value={percent(loopBusy)} note={`${millis(loopLagMs)} late`} />
        <Figure
          label="Out"
          value={bitsOfBytes(sentBytesPerS)}
          note={capacityBytesPerS > 0 ? `of ${bitsOfBytes(capacityBytesPerS)}` : 'bound not known'}
        />
        <Figure label="In" value={bitsOfBytes(receivedBytesPerS)} />
        <Figure label="Players" value={count(load.players)} />
        <Figure
          label="Streams"
          value={count(load.streams)}
          note={`${count(load.publishers)} published here`}
        />
        <Figure
          label="Alarms"
          value={count(load.alarms)}
          {...(load.alarms > 0 && { tone: 'bad' as const })}
        />
      </dl>
    </>
  );
}

function Past({ samples }: { samples: readonly LoadSample[] }) {
  const { times, cpu, sent, players } = useMemo(() => {
    const endS = Date.now() / 1000;
    return {
      times: samples.map((_, at) => endS - (samples.length - 1 - at)),
      cpu: [samples.map((sample) => sample.cpu)],
      sent: [samples.map(({ sentBytesPerS }) => sentBytesPerS * 8)],
      players: [samples.map((sample) => sample.players)],
    };
  }, [samples]);
  return (
    <Panel title="Since this page is open" id="past-title">
      <div class="charts">
        <Chart title="CPU" names={['of the machine']} times={times} values={cpu} say={percent} />
        <Chart title="Out" names={['all doors']} times={times} values={sent} say={bits} />
        <Chart title="Players" names={['here']} times={times} values={players} say={count} isWhole />
      </div>
    </Panel>
  );
}

function Links({ node }: { node: string }) {
  const { answer, failed } = usePoll<LinksAnswer>(withQuery('links', { node }), POLL_MS);
  return (
    <Panel title="Links" id="links-title">
      <Failed failed={failed} />
      <Missing stale={answer?.stale} />
      {answer ? (
        <Table
          caption={`Links of ${node}`}
          columns={LINK_COLUMNS}
          rows={answer.links.filter((link) => link.node === node)}
          keyOf={({ peer }) => peer}
          first={{ column: 'peer', order: 'up' }}
          empty="It has no link to another node."
        />
      ) : (
        <Empty>Asking the nodes …</Empty>
      )}
    </Panel>
  );
}

const LINK_COLUMNS: readonly Column<NodeLink>[] = [
  {
    id: 'peer',
    title: 'To',
    cell: ({ peer }) => <a href={hashOf({ at: 'node', node: peer })}>{peer}</a>,
    by: ({ peer }) => peer,
  },
  {
    id: 'rtt',
    title: 'Round trip',
    isNumeric: true,
    cell: ({ rttMs, rttDevMs }) => (
      <>
        {millis(rttMs)}
        {rttDevMs !== null && <span class="quiet"> ± {millis(rttDevMs)}</span>}
      </>
    ),
    by: ({ rttMs }) => rttMs ?? -1,
  },
  {
    id: 'loss',
    title: 'Late beats',
    isNumeric: true,
    cell: ({ lossShare }) => percent(lossShare),
    by: ({ lossShare }) => lossShare ?? -1,
  },
  {
    id: 'in',
    title: 'In',
    isNumeric: true,
    cell: (link) => bitsOfBytes(link.receivedBytesPerS),
    by: (link) => link.receivedBytesPerS ?? -1,
  },
  {
    id: 'out',
    title: 'Out',
    isNumeric: true,
    cell: (link) => bitsOfBytes(link.sentBytesPerS),
    by: (link) => link.sentBytesPerS ?? -1,
  },
  {
    id: 'queue',
    title: 'Queue',
    isNumeric: true,
    cell: ({ queueBytes }) => bytes(queueBytes),
    by: ({ queueBytes }) => queueBytes,
  },
  { id: 'offset', title: 'Clock offset', isNumeric: true, cell: ({ offsetMs }) => millis(offsetMs) },
  {
    id: 'age',
    title: 'Open for',
    isNumeric: true,
    cell: ({ ageMs }) => span(ageMs),
    by: ({ ageMs }) => ageMs,
  },
  { id: 'dialled', title: 'Dialled by', cell: ({ dialledBy }) => dialledBy },
];

function Streams({ node }: { node: string }) {
  const path = withQuery('streams', { node, sort: 'players', limit: ROWS });
  const { answer, failed } = usePoll<StreamsAnswer>(path, POLL_MS);
  return (
    <Panel title="Streams" id="node-streams-title">
      <Failed failed={failed} />
      {answer ? (
        <Table
          caption={`Streams at ${node}`}
          columns={streamColumns(node)}
          rows={answer.streams}
          keyOf={({ key }) => key}
          empty="It has no stream."
        />
      ) : (
        <Empty>Asking the nodes …</Empty>
      )}
      {answer?.truncated && (
        <p class="quiet">
          The {count(answer.streams.length)} with the most players of {count(answer.total)}.
        </p>
      )}
    </Panel>
  );
}

function streamColumns(node: string): Column<StreamRow>[] {
  return [
    {
      id: 'key',
      title: 'Stream',
      cell: ({ key }) => <a href={hashOf({ at: 'stream', key })}>{key}</a>,
      by: ({ key }) => key,
    },
    {
      id: 'role',
      title: 'Here it is',
      cell: ({ origin, backup }) =>
        origin?.node === node ? 'origin' : backup?.node === node ? 'backup' : 'replica',
    },
    { id: 'codecs', title: 'Codecs', cell: ({ video, audio }) => codecs(video, audio) },
    {
      id: 'bits',
      title: 'Bitrate',
      isNumeric: true,
      cell: ({ bitsPerS }) => bits(bitsPerS),
      by: ({ bitsPerS }) => bitsPerS ?? -1,
    },
    {
      id: 'players',
      title: 'Players of all',
      isNumeric: true,
      cell: ({ players }) => count(players),
      by: ({ players }) => players,
    },
  ];
}

function About({ row }: { row: NodeRow }) {
  const {
    version,
    boot,
    host,
    region,
    zone,
    tags,
    mesh,
    rtmp,
    http,
    rtmpInternal,
    httpInternal,
    leaseMs,
    rttMs,
  } = row;
  const rtts = Object.entries(rttMs).map(([other, value]) => `${other || 'no region'} ${millis(value)}`);
  return (
    <Panel title="About it" id="about-title">
      <Facts
        rows={[
          ['Region, zone', `${region || NOTHING}, ${zone || NOTHING}`],
          ['Tags', tags.join(', ') || NOTHING],
          ['Version', version],
          ['Process', boot],
          ['Host', host],
          ['RTMP', rtmp || 'shut'],
          ['HTTP', http || 'shut'],
          [
            'Within the network',
            [rtmpInternal, httpInternal].filter((each) => each !== '').join(', ') || 'the same',
          ],
          ['Mesh', mesh.join(', ') || NOTHING],
          [
            'Last beat counts',
            leaseMs === null ? 'it answers' : leaseMs === 0 ? 'no more' : `for ${millis(leaseMs)}`,
          ],
          ['Round trips', rtts.join(', ') || NOTHING],
        ]}
      />
    </Panel>
  );
}
