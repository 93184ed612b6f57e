// One stream: the tree that it goes down by with the delay of each hop, what it is like at each node, who publishes it. Pure.
import type { StreamQuality } from '../http/forms/quality.ts';
import type { SessionRow } from '../http/forms/sessions.ts';
import type { StreamHere, TreeAnswer } from '../http/forms/streams.ts';
import { alarmTable } from './alarm-text.ts';
import { type Paint, plain } from './paint.ts';
import { safeText } from './safe-text.ts';
import { staleText } from './stale-text.ts';
import { type Cell, type Column, numberColumns, tableText } from './table.ts';
import { treeOf } from './tree-lines.ts';
import { bitrateText, bytesText, counted, durationText, mbitText, msText, NONE, sinceText } from './units.ts';

type TreeRow = TreeAnswer['nodes'][number];

const WAY_COLUMNS: readonly Column[] = [
  { head: 'NODE' },
  { head: 'STATE' },
  ...numberColumns(['PLAYERS', 'DELAY', 'AGE', 'RTT', 'JITTER', 'GAPS', 'RESUMES', 'SKIPPED', 'QUEUE']),
];
const QUALITY_COLUMNS: readonly Column[] = [
  { head: 'AT' },
  ...numberColumns(['BITRATE', 'FPS', 'KEY EVERY', 'JITTER', 'LONGEST GAP', 'A-V', 'DROPPED', 'SILENT']),
];
/** A frame that is older is worth a look. */
const SILENT_MS = 1_000;

/** `tideway stream app/name`. */
export function streamText(answer: TreeAnswer, paint: Paint = plain): string {
  const lines = linesOf(answer);
  const parts = [
    headText(answer),
    tableText(WAY_COLUMNS, [...lines.map(wayCells), ...unheardCells(answer)], paint),
    tableText(QUALITY_COLUMNS, lines.map(qualityCells), paint),
    answer.alarms.length === 0 ? '' : alarmTable(answer.alarms, answer.asOf, paint),
  ];
  return parts.filter((part) => part !== '').join('\n') + staleText(answer.stale);
}

function headText(answer: TreeAnswer): string {
  const { key, origin, backup, nodes, asOf } = answer;
  const players = nodes.reduce((sum, node) => sum + node.players, 0);
  const what = origin ? `${origin.state}, origin ${origin.node}, epoch ${origin.epoch}` : 'no origin';
  const since = origin?.since ? `, for ${sinceText(origin.since, asOf)}` : '';
  const first = nodes[0];
  const publisher = nodes.find((node) => node.publisher !== null)?.publisher ?? null;
  return [
    `${key}  ${what}${since}; ${counted(players, 'player', 'players')} at ${counted(nodes.length, 'node', 'nodes')}`,
    ...(backup ? [`Backup publisher at ${backup.node}`] : []),
    ...(first ? [`Media      ${mediaText(first.quality)}`] : []),
    ...(publisher ? [`Publisher  ${publisherText(publisher)}`] : []),
    '',
  ]
    .map(safeText)
    .join('\n');
}

function mediaText({ video, audio }: StreamQuality): string {
  const size = video?.width && video.height ? ` ${video.width}x${video.height}` : '';
  const picture = video
    ? `${video.codec}${size}, ${video.frameRate.toFixed(1)} fps, ${bitrateText(video.bitsPerS)}`
    : undefined;
  const rate = audio?.sampleRate ? ` ${audio.sampleRate} Hz` : '';
  const channels = audio?.channels ? `, ${counted(audio.channels, 'channel', 'channels')}` : '';
  const sound = audio ? `${audio.codec}${rate}${channels}, ${bitrateText(audio.bitsPerS)}` : undefined;
  return [picture, sound].filter((part) => part !== undefined).join('; ') || 'nothing yet';
}

function publisherText({ id, remote, protocol, durationMs, bytesPerS, dropped }: SessionRow): string {
  const flaws = dropped === 0 ? '' : `, ${counted(dropped, 'frame', 'frames')} of no use`;
  return `${remote} by ${protocol}, for ${durationText(durationMs)}, ${mbitText(bytesPerS * 8)}${flaws}; session ${id}`;
}

interface Line {
  readonly branch: string;
  readonly row: TreeRow;
}

/** The origin first; a standby publisher's node, which pulls nothing, stands with the others. */
function linesOf({ nodes, origin }: TreeAnswer): Line[] {
  const first = nodes.find(({ node }) => node === origin?.node);
  const others = nodes.filter((row) => row !== first);
  return [...(first ? [{ branch: '', row: first }] : []), ...treeOf(others, first?.node)];
}

function wayCells({ branch, row }: Line): Cell[] {
  const { hop, players } = row;
  return [
    `${branch}${row.node}`,
    stateCell(row),
    String(players),
    hop === null ? NONE : delayText(hop),
    msText(row.ageMs),
    ...(hop === null
      ? [NONE, NONE, NONE, NONE, NONE, NONE]
      : [
          msText(hop.rttMs),
          msText(hop.jitterMs),
          ...[hop.gaps, hop.resumes, hop.skipped].map(warnedCount),
          hop.queueBytes === null ? NONE : bytesText(hop.queueBytes),
        ]),
  ];
}

/** The measured delay, and how far it may be wrong. */
function delayText({ delayMs, errorMs }: NonNullable<StreamHere['hop']>): string {
  if (delayMs === null) return NONE;
  return errorMs === null ? msText(delayMs) : `${msText(delayMs)} ±${errorMs.toFixed(1)}`;
}

function stateCell({ role, state }: StreamHere): Cell {
  const text = role === 'replica' ? state : `${role} ${state}`;
  return state === 'held' ? { text, tone: 'warn' } : text;
}

function warnedCount(count: number): Cell {
  return count === 0 ? '0' : { text: String(count), tone: 'warn' };
}

/** Replicas that the registry lists, of nodes that did not answer. */
function unheardCells({ replicas, nodes }: TreeAnswer): Cell[][] {
  const heard = new Set(nodes.map(({ node }) => node));
  return replicas
    .filter(({ node }) => !heard.has(node))
    .map(({ node, upstream }) => [node, { text: `not heard of, pulls from ${upstream}`, tone: 'warn' }]);
}

function qualityCells({ row: { node, quality } }: Line): Cell[] {
  const { video, silentMs, dropped } = quality;
  return [
    node,
    mbitText(quality.bitsPerS),
    video ? video.frameRate.toFixed(1) : NONE,
    msText(video?.keyIntervalMs ?? null),
    msText(quality.jitterMs),
    msText(quality.longestGapMs),
    msText(quality.skewMs),
    warnedCount(dropped),
    silentMs >= SILENT_MS ? { text: msText(silentMs), tone: 'bad' } : msText(silentMs),
  ];
}
