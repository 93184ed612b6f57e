// The cluster: its totals, its regions, and each node with its load, live.
import type { NodeRow, StatusAnswer } from '../../../src/http/forms/nodes.ts';
import { bits, bitsOfBytes, count, counted, millis, NOTHING, percent } from '../format.ts';
import type { LoadHistory } from '../load-history.ts';
import { nodeState } from '../node-state.ts';
import { Empty, Figure, Meter, Panel, State } from '../parts.tsx';
import { hashOf } from '../route.ts';
import { useLive } from '../services.ts';
import { Sparkline } from '../sparkline.tsx';
import { type Column, Table } from '../table.tsx';
import { Hints } from './hints.tsx';

export function ClusterView() {
  const status = useLive((live) => live.status);
  const nodes = useLive((live) => live.nodes);
  const loads = useLive((live) => live.loads);
  if (!status) return <Empty>Looking at the cluster …</Empty>;
  return (
    <>
      <h1 class="hidden-text">Cluster</h1>
      <Totals status={status} />
      {status.cluster.streams === 0 && <Hints status={status} />}
      <Regions status={status} />
      <Panel title="Nodes" id="nodes-title">
        <Table
          caption="Nodes of the cluster, and their load"
          columns={columnsFor(loads)}
          rows={[...nodes.values()]}
          keyOf={({ node }) => node}
          classOf={(row) => nodeState(row).word}
          first={{ column: 'node', order: 'up' }}
          empty="No node is known."
        />
      </Panel>
    </>
  );
}

function Totals({ status: { cluster, notReady, trouble } }: { status: StatusAnswer }) {
  const { nodes, streams, players, publishers, alarms, sentBytesPerS, receivedBytesPerS, capacityBytesPerS } =
    cluster;
  const why = notReady ?? trouble;
  return (
    <>
      <dl class="figures">
        <Figure
          label="Nodes"
          value={count(nodes.up)}
          note={[
            nodes.draining > 0 ? `${count(nodes.draining)} draining` : '',
            nodes.silent > 0 ? `${count(nodes.silent)} silent` : '',
          ]
            .filter((part) => part !== '')
            .join(', ')}
          {...(nodes.silent > 0 && { tone: 'warn' as const })}
        />
        <Figure
          label="Publishers"
          value={count(publishers)}
          note={`${counted(streams, 'copy', 'copies')} of streams`}
        />
        <Figure label="Players" value={count(players)} />
        <Figure
          label="Out"
          value={bitsOfBytes(sentBytesPerS)}
          note={capacityBytesPerS > 0 ? `${percent(sentBytesPerS / capacityBytesPerS)} of what they may` : ''}
        />
        <Figure label="In" value={bitsOfBytes(receivedBytesPerS)} />
        <Figure
          label="Alarms"
          value={<a href={hashOf({ at: 'alarms' })}>{count(alarms)}</a>}
          note={alarms > 0 ? '▲ lasting' : 'none lasts'}
          {...(alarms > 0 && { tone: 'bad' as const })}
        />
      </dl>
      {why && (
        <p class="notice warn">
          <State tone="warn">{notReady ? 'This node takes nobody now:' : 'This node has a trouble:'}</State>{' '}
          {why.message}
        </p>
      )}
    </>
  );
}

function Regions({ status: { cluster } }: { status: StatusAnswer }) {
  const { regions } = cluster;
  if (regions.length === 0 || (regions.length === 1 && regions[0]?.region === '')) return null;
  const most = Math.max(...regions.map(({ players }) => players), 1);
  return (
    <Panel title="Regions" id="regions-title">
      <ul class="regions">
        {regions.map(({ region, nodes, players, streams, sentBytesPerS }) => (
          <li key={region}>
            <strong>{region || 'no region'}</strong>
            <span class="region-bar" aria-hidden="true">
              <span style={{ width: `${(players / most) * 100}%` }} />
            </span>
            <span class="quiet">
              {counted(players, 'player')} · {counted(nodes, 'node')} · {counted(streams, 'stream')} ·{' '}
              {bitsOfBytes(sentBytesPerS)}
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function columnsFor(loads: LoadHistory): Column<NodeRow>[] {
  return [
    {
      id: 'node',
      title: 'Node',
      cell: ({ node, self }) => (
        <>
          <a href={hashOf({ at: 'node', node })}>{node}</a>
          {self && <span class="tag">answers</span>}
        </>
      ),
      by: ({ node }) => node,
    },
    {
      id: 'state',
      title: 'State',
      cell: (row) => {
        const { tone, word } = nodeState(row);
        return <State tone={tone}>{word}</State>;
      },
      by: (row) => nodeState(row).word,
    },
    {
      id: 'region',
      title: 'Region',
      cell: ({ region, zone }) => [region, zone].filter((part) => part !== '').join(' / ') || NOTHING,
      by: ({ region, zone }) => `${region}/${zone}`,
    },
    {
      id: 'cpu',
      title: 'CPU',
      isNumeric: true,
      cell: ({ load }) => <Meter share={load.cpu} />,
      by: ({ load }) => load.cpu,
    },
    {
      id: 'memory',
      title: 'Memory',
      isNumeric: true,
      cell: ({ load }) => <Meter share={load.memory} />,
      by: ({ load }) => load.memory,
    },
    {
      id: 'loop',
      title: 'Loop',
      isNumeric: true,
      cell: ({ load }) => (
        <Meter share={load.loopBusy} label={`${percent(load.loopBusy)}, ${millis(load.loopLagMs)}`} />
      ),
      by: ({ load }) => load.loopBusy,
    },
    {
      id: 'out',
      title: 'Out',
      isNumeric: true,
      cell: ({ load }) => (
        <Meter
          share={load.capacityBytesPerS > 0 ? load.sentBytesPerS / load.capacityBytesPerS : null}
          label={bitsOfBytes(load.sentBytesPerS)}
        />
      ),
      by: ({ load }) => load.sentBytesPerS,
    },
    {
      id: 'past',
      title: 'Last 2 min',
      cell: ({ node }) => (
        <Sparkline
          label={`Bits out of ${node}`}
          values={loads.get(node)?.map(({ sentBytesPerS }) => sentBytesPerS * 8)}
          say={bits}
        />
      ),
    },
    {
      id: 'players',
      title: 'Players',
      isNumeric: true,
      cell: ({ load }) => count(load.players),
      by: ({ load }) => load.players,
    },
    {
      id: 'streams',
      title: 'Streams',
      isNumeric: true,
      cell: ({ load }) => count(load.streams),
      by: ({ load }) => load.streams,
    },
    {
      id: 'alarms',
      title: 'Alarms',
      isNumeric: true,
      cell: ({ load }) => (load.alarms > 0 ? <State tone="bad">{count(load.alarms)}</State> : '0'),
      by: ({ load }) => load.alarms,
    },
  ];
}
