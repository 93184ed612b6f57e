// One stream: its tree as it is now, where its age comes from, how good it is, a preview from any node, and who plays it.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TreeAnswer } from '../../../src/http/forms/streams.ts';
import { AlarmList } from '../alarm-list.tsx';
import { Chart } from '../chart.tsx';
import {
  agoMs,
  bits,
  bytes,
  codecs,
  count,
  counted,
  frames,
  millis,
  NOTHING,
  size,
  span,
} from '../format.ts';
import { Empty, Facts, Figure, Missing, Panel, State } from '../parts.tsx';
import { Preview } from '../preview.tsx';
import { hashOf } from '../route.ts';
import { type DelaySample, delayLines, sumFromEnd, withDelays } from '../series.ts';
import { useLive, useNow } from '../services.ts';
import { Sessions } from '../sessions-table.tsx';
import { type Column, Table } from '../table.tsx';
import { flat, type TreeNode, type TreeRow, treeOf, wayTo } from '../tree.ts';
import { TreeGraph } from '../tree-graph.tsx';

export function StreamView({ streamKey }: { streamKey: string }) {
  const told = useLive((live) => live.tree);
  // A tree of the stream that was looked at before may still be on its way.
  const answer = told?.key === streamKey ? told : undefined;
  const latest = useRef<TreeAnswer | undefined>(undefined);
  if (answer) latest.current = answer;
  // What nobody has any more is shown as it was, and said to be gone.
  const shown = latest.current?.key === streamKey ? latest.current : undefined;
  const isGone = told === null;
  const roots = useMemo(() => (shown ? treeOf(shown) : []), [shown]);
  const [chosen, setChosen] = useState('');
  const nodes = flat(roots);
  const selected = nodes.some(({ id }) => id === chosen) ? chosen : (deepest(roots)?.id ?? '');
  const withMedia = nodes.filter(({ knownBy }) => knownBy === 'told').map(({ id }) => id);
  const origin = nodes.find(({ role }) => role === 'origin');
  return (
    <>
      <header class="view-head">
        <h1>{streamKey}</h1>
        <StreamState answer={shown} isGone={isGone} />
        <a class="aside" href={hashOf({ at: 'why', stream: streamKey })}>
          Why these nodes?
        </a>
      </header>
      <Missing stale={shown?.stale} />
      {shown && <Head answer={shown} nodes={nodes} origin={origin} />}
      <div class={`stream-grid ${isGone ? 'gone' : ''}`}>
        <div class="stream-column">
          <Panel
            title="Tree"
            id="tree-title"
            aside={<span class="legend quiet">On each hop: its delay, and what waits in it</span>}
          >
            {shown ? (
              <TreeGraph roots={roots} selected={selected} select={setChosen} />
            ) : (
              <Empty>
                {isGone
                  ? 'Nobody has this stream. When it is published, it shows up here.'
                  : 'Asking the nodes …'}
              </Empty>
            )}
          </Panel>
          {shown && <Way roots={roots} selected={selected} />}
          {shown && <Quality row={nodes.find(({ id }) => id === selected)?.row} />}
        </div>
        <div class="stream-column">
          <Panel title="Preview" id="preview-title">
            <Preview
              key={streamKey}
              streamKey={streamKey}
              nodes={withMedia}
              isHeld={shown?.origin?.state === 'held'}
              suggested={chosen}
            />
          </Panel>
          {shown && (
            <Panel title="Alarms" id="stream-alarms-title">
              <AlarmList alarms={shown.alarms} empty="No alarm of this stream." />
            </Panel>
          )}
        </div>
      </div>
      {shown && (
        <>
          <Charts answer={shown} roots={roots} origin={origin} />
          <Panel title="Hops" id="hops-title">
            <Table
              caption="Each hop of the tree"
              columns={HOP_COLUMNS}
              rows={nodes.filter(({ hop }) => hop !== null)}
              keyOf={({ id }) => id}
              classOf={({ knownBy }) => knownBy}
              empty="No other node has it: nobody plays it elsewhere."
            />
          </Panel>
        </>
      )}
      <Panel title="Sessions" id="sessions-title">
        <Sessions caption={`Sessions of ${streamKey}`} stream={streamKey} node="" />
      </Panel>
    </>
  );
}

function StreamState({ answer, isGone }: { answer: TreeAnswer | undefined; isGone: boolean }) {
  if (isGone) return <State tone="bad">{answer ? 'gone: shown as it was' : 'not live'}</State>;
  if (!answer) return null;
  if (!answer.origin) return <State tone="warn">no origin</State>;
  return answer.origin.state === 'live' ? (
    <State tone="good">live</State>
  ) : (
    <State tone="warn">held: its publisher is away</State>
  );
}

function Head({
  answer,
  nodes,
  origin,
}: {
  answer: TreeAnswer;
  nodes: readonly TreeNode[];
  origin: TreeNode | undefined;
}) {
  const now = useNow();
  const ages = nodes.flatMap(({ hop, ageMs }) => (hop === null ? [] : (ageMs ?? [])));
  const { video, audio, bitsPerS } = origin?.row?.quality ?? nodes.find(({ row }) => row)?.row?.quality ?? {};
  const players = nodes.reduce((sum, node) => sum + node.players, 0);
  return (
    <dl class="figures">
      <Figure label="Bitrate" value={bits(bitsPerS)} note={codecs(video?.codec, audio?.codec)} />
      <Figure
        label="Picture"
        value={size(video?.width, video?.height)}
        note={video ? frames(video.frameRate) : ''}
      />
      <Figure label="Players" value={count(players)} note={`at ${counted(nodes.length, 'node')}`} />
      <Figure
        label="Oldest"
        value={millis(ages.length > 0 ? Math.max(...ages) : null)}
        note="from origin to node"
      />
      <Figure
        label="Live for"
        value={span(agoMs(answer.origin?.since ?? null, now))}
        note={answer.backup ? `backup at ${answer.backup.node}` : ''}
      />
    </dl>
  );
}

/** Where the age of a stream at a node comes from. */
function Way({ roots, selected }: { roots: readonly TreeNode[]; selected: string }) {
  const way = wayTo(roots, selected);
  const hops = way.filter(({ hop }) => hop !== null);
  const total = hops.reduce((sum, { hop }) => sum + Math.max(0, hop?.delayMs ?? 0), 0);
  return (
    <Panel
      title={`Way to ${selected}`}
      id="way-title"
      aside={<a href={hashOf({ at: 'node', node: selected })}>Its node</a>}
    >
      {hops.length === 0 ? (
        <Empty>
          {way.length === 0 ? 'Nothing is known of it.' : 'It is published here: no hop before it.'}
        </Empty>
      ) : (
        <>
          <ol class="way">
            {hops.map(({ id, hop }) => (
              <li
                key={id}
                class={`hop-${hop?.verdict}`}
                style={{ flexGrow: String(total > 0 ? Math.max(0, hop?.delayMs ?? 0) / total : 1) }}
              >
                <span class="way-name">
                  {hop?.from} → {id}
                </span>
                <span class="way-part">
                  {millis(hop?.delayMs)}
                  {total > 0 &&
                    hop?.delayMs !== null &&
                    ` · ${Math.round(((hop?.delayMs ?? 0) / total) * 100)} %`}
                </span>
              </li>
            ))}
          </ol>
          <p class="quiet">
            A frame is {millis(total)} old when it comes to {selected}, counted from its arrival at the
            origin.
          </p>
        </>
      )}
    </Panel>
  );
}

function Quality({ row }: { row: TreeRow | undefined }) {
  if (!row) {
    return (
      <Panel title="Quality" id="quality-title">
        <Empty>This node did not answer.</Empty>
      </Panel>
    );
  }
  const { video, audio, bitsPerS, jitterMs, longestGapMs, skewMs, dropped, silentMs } = row.quality;
  return (
    <Panel title={`Quality at ${row.node}`} id="quality-title">
      <Facts
        rows={[
          ['All tracks', bits(bitsPerS)],
          ['Video', video ? `${codecs(video.codec)}, ${size(video.width, video.height)}` : 'none'],
          ['Frames', video ? `${frames(video.frameRate)}, ${bits(video.bitsPerS)}` : NOTHING],
          [
            'Key frames',
            video ? `every ${millis(video.keyIntervalMs)}, last ${millis(video.keyAgeMs)} ago` : NOTHING,
          ],
          ['Audio', audio ? `${codecs(audio.codec)}, ${audioWords(audio)}` : 'none'],
          ['Jitter', millis(jitterMs)],
          ['Longest gap', millis(longestGapMs)],
          ['Audio ahead of video', millis(skewMs)],
          ['Frames dropped', count(dropped)],
          ['Last frame', `${millis(silentMs)} ago`],
          ['Standby', row.standby ?? 'none'],
          ['Publisher', row.publisher ? `${row.publisher.remote} by ${row.publisher.protocol}` : NOTHING],
        ]}
      />
    </Panel>
  );
}

function audioWords({ sampleRate, channels, bitsPerS }: NonNullable<TreeRow['quality']['audio']>): string {
  const rate = sampleRate === null ? '' : `${sampleRate / 1000} kHz, `;
  const tracks =
    channels === 1 ? 'mono, ' : channels === 2 ? 'stereo, ' : channels ? `${channels} channels, ` : '';
  return `${rate}${tracks}${bits(bitsPerS)}`;
}

function Charts({
  answer,
  roots,
  origin,
}: {
  answer: TreeAnswer;
  roots: readonly TreeNode[];
  origin: TreeNode | undefined;
}) {
  const samples = useRef<readonly DelaySample[]>([]);
  const [delays, setDelays] = useState(() => delayLines([]));
  useEffect(() => {
    samples.current = withDelays(samples.current, roots, Date.parse(answer.asOf));
    setDelays(delayLines(samples.current));
  }, [answer, roots]);
  const history = (origin?.row ?? answer.nodes[0])?.history;
  const past = useMemo(() => {
    const endS = Date.parse(answer.asOf) / 1000;
    const times = (length: number, stepMs: number) =>
      Array.from({ length }, (_, at) => endS - ((length - 1 - at) * stepMs) / 1000);
    const players = sumFromEnd(answer.nodes.map((row) => row.history.players));
    return {
      rates: times(history?.bitsPerS.length ?? 0, history?.stepMs ?? 1000),
      bitsPerS: [history?.bitsPerS ?? []],
      frameTimes: times(history?.frameRate.length ?? 0, history?.stepMs ?? 1000),
      frameRate: [history?.frameRate ?? []],
      playerTimes: times(players.length, history?.stepMs ?? 1000),
      players: [players],
    };
  }, [answer, history]);
  const delayTimes = useMemo(() => samples.current.map(({ wallMs }) => wallMs / 1000), [delays]);
  const at = origin?.id ?? answer.nodes[0]?.node ?? '';
  return (
    <Panel title="The last minutes" id="charts-title">
      <div class="charts">
        <Chart title="Bitrate" names={[`at ${at}`]} times={past.rates} values={past.bitsPerS} say={bits} />
        <Chart
          title="Frame rate"
          names={[`at ${at}`]}
          times={past.frameTimes}
          values={past.frameRate}
          say={frames}
        />
        <Chart
          title="Players"
          names={['of all nodes']}
          times={past.playerTimes}
          values={past.players}
          say={count}
          isWhole
        />
        {delayTimes.length > 1 && (
          <Chart
            title="Delay of each hop, since this page is open"
            names={delays.names}
            times={delayTimes}
            values={delays.values}
            say={millis}
          />
        )}
      </div>
    </Panel>
  );
}

const VERDICT_TONES = { good: 'good', slow: 'warn', stalled: 'bad', unknown: 'quiet' } as const;

const HOP_COLUMNS: readonly Column<TreeNode>[] = [
  {
    id: 'hop',
    title: 'Hop',
    cell: ({ id, hop }) => (
      <span>
        {hop?.from} → <a href={hashOf({ at: 'node', node: id })}>{id}</a>
      </span>
    ),
    by: ({ id, hop }) => `${hop?.from} ${id}`,
  },
  {
    id: 'verdict',
    title: 'Is',
    cell: ({ hop }) => <State tone={VERDICT_TONES[hop?.verdict ?? 'unknown']}>{hop?.verdict}</State>,
    by: ({ hop }) => hop?.verdict ?? '',
  },
  {
    id: 'delay',
    title: 'Delay',
    isNumeric: true,
    cell: ({ hop }) => (
      <>
        {millis(hop?.delayMs)}
        {hop?.errorMs !== null && <span class="quiet"> ± {millis(hop?.errorMs)}</span>}
      </>
    ),
    by: ({ hop }) => hop?.delayMs ?? -1,
  },
  {
    id: 'jitter',
    title: 'Jitter',
    isNumeric: true,
    cell: ({ hop }) => millis(hop?.jitterMs),
    by: ({ hop }) => hop?.jitterMs ?? -1,
  },
  {
    id: 'rtt',
    title: 'Round trip',
    isNumeric: true,
    cell: ({ hop }) => millis(hop?.rttMs),
    by: ({ hop }) => hop?.rttMs ?? -1,
  },
  {
    id: 'queue',
    title: 'Queue',
    isNumeric: true,
    cell: ({ hop }) => bytes(hop?.queueBytes),
    by: ({ hop }) => hop?.queueBytes ?? -1,
  },
  {
    id: 'gaps',
    title: 'Gaps',
    isNumeric: true,
    cell: ({ hop }) => count(hop?.gaps),
    by: ({ hop }) => hop?.gaps ?? 0,
  },
  {
    id: 'resumes',
    title: 'Resumes',
    isNumeric: true,
    cell: ({ hop }) => count(hop?.resumes),
    by: ({ hop }) => hop?.resumes ?? 0,
  },
  {
    id: 'skipped',
    title: 'Skipped',
    isNumeric: true,
    cell: ({ hop }) => count(hop?.skipped),
    by: ({ hop }) => hop?.skipped ?? 0,
  },
  {
    id: 'age',
    title: 'Age',
    isNumeric: true,
    cell: ({ ageMs }) => millis(ageMs),
    by: ({ ageMs }) => ageMs ?? -1,
  },
];

/** The node where a frame is oldest, as its way has the most to tell; while no age is known, one that is furthest. */
function deepest(roots: readonly TreeNode[]): TreeNode | undefined {
  const weight = ({ id, ageMs, hop }: TreeNode) =>
    hop === null ? -1 : (ageMs ?? wayTo(roots, id).length / 1e6);
  return flat(roots).reduce<TreeNode | undefined>(
    (best, node) => (best === undefined || weight(node) > weight(best) ? node : best),
    undefined,
  );
}
