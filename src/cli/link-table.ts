// Links between nodes as a table, each from both of its ends. Pure.
import type { LinksAnswer, NodeLink } from '../http/forms/nodes.ts';
import { type Paint, plain } from './paint.ts';
import { staleText } from './stale-text.ts';
import { type Cell, type Column, numberColumns, tableText } from './table.ts';
import { bytesText, durationText, mbitText, msText, NONE, percentText } from './units.ts';

const COLUMNS: readonly Column[] = [
  { head: 'NODE' },
  { head: 'PEER' },
  ...numberColumns(['OPEN FOR', 'RTT', 'DEVIATION', 'LOSS', 'IN', 'OUT', 'QUEUE']),
  { head: 'DIALLED BY' },
];

/** `tideway links`. */
export function linksText({ links, stale }: LinksAnswer, paint: Paint = plain): string {
  if (links.length === 0) return `no links\n${staleText(stale)}`;
  return tableText(COLUMNS, links.map(linkCells), paint) + staleText(stale);
}

function linkCells(link: NodeLink): Cell[] {
  const { lossShare } = link;
  return [
    link.node,
    link.peer,
    durationText(link.ageMs),
    msText(link.rttMs),
    msText(link.rttDevMs),
    lossShare === null ? NONE : lossCell(lossShare),
    ...[link.receivedBytesPerS, link.sentBytesPerS].map((rate) => mbitText(rate === null ? null : rate * 8)),
    bytesText(link.queueBytes),
    link.dialledBy,
  ];
}

function lossCell(share: number): Cell {
  const text = percentText(share);
  return share === 0 ? text : { text, tone: 'warn' };
}
