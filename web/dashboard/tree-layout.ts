// Where the boxes of a stream's tree go, and the lines between them: from left to right where there is room, else from top
// to bottom, indented. Pure; the same tree gives the same places, whatever was drawn before.
import { compare } from '../../src/base/compare.ts';
import type { TreeNode } from './tree.ts';

/** What is drawn as one box: a node, the players of one, or nodes that are too many to be drawn one by one. */
export type Box =
  | { readonly kind: 'node'; readonly id: string; readonly node: TreeNode }
  | { readonly kind: 'players'; readonly id: string; readonly of: TreeNode }
  | { readonly kind: 'more'; readonly id: string; readonly nodes: readonly TreeNode[] };

export interface Placed {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Id of the box that it hangs on; null at the root. */
  readonly parent: string | null;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly direction: 'across' | 'down';
  /** Each behind the one that it hangs on. */
  readonly placed: readonly Placed[];
}

/** Below this width the tree is drawn downwards. */
export const ACROSS_FROM_PX = 620;
/** Of one node's children that feed nobody, and have no fault, more than these are drawn as one. */
export const MAX_SIBLINGS = 8;
const NODE = { width: 176, height: 60 };
const MIN_NODE_WIDTH = 132;
const PLAYERS = { width: 112, height: 30 };
/** From a node to the players of its own. */
const PLAYERS_GAP = 28;
const ROW_GAP = 16;
const MIN_COLUMN_GAP = 96;
const MAX_COLUMN_GAP = 150;
const FLAT = 76;
const INDENT = 22;
const DOWN_GAP = 12;
/** Lines and focus rings of the outermost boxes stay inside. */
const MARGIN = 6;

interface Item {
  readonly box: Box;
  readonly size: { readonly width: number; readonly height: number };
  readonly children: readonly Item[];
}

/** @param roomPx width that there is */
export function layOut(roots: readonly TreeNode[], roomPx: number): Layout {
  const items = roots.map(itemOf);
  return roomPx >= ACROSS_FROM_PX ? across(items, roomPx) : down(items, roomPx);
}

/** The line to a box from the one that it hangs on. */
export function linePath(from: Rect, to: Rect, direction: Layout['direction']): string {
  if (direction === 'down') {
    const x = from.x + INDENT / 2;
    const y = to.y + to.height / 2;
    return `M${px(x)} ${px(from.y + from.height)}V${px(y)}H${px(to.x)}`;
  }
  const start = { x: from.x + from.width, y: from.y + from.height / 2 };
  const end = { x: to.x, y: to.y + to.height / 2 };
  // The last part is straight: the words about the hop stand there.
  const flat = Math.min(FLAT, (end.x - start.x) / 2);
  const bend = (end.x - flat - start.x) / 2;
  return `M${px(start.x)} ${px(start.y)}C${px(start.x + bend)} ${px(start.y)} ${px(end.x - flat - bend)} ${px(end.y)} ${px(end.x - flat)} ${px(end.y)}H${px(end.x)}`;
}

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A place on the way from one to another; `part` in 0..1. */
export function between(from: Rect, to: Rect, part: number): Rect {
  const mix = (one: number, other: number) => one + (other - one) * part;
  return {
    x: mix(from.x, to.x),
    y: mix(from.y, to.y),
    width: mix(from.width, to.width),
    height: mix(from.height, to.height),
  };
}

function itemOf(node: TreeNode): Item {
  const isPlain = (child: TreeNode) =>
    child.children.length === 0 && child.knownBy === 'told' && child.hop?.verdict === 'good';
  const plain = node.children.filter(isPlain);
  const drawn = node.children.filter((child) => !isPlain(child));
  const hidden = plain.length > MAX_SIBLINGS ? plain.slice(MAX_SIBLINGS - 1) : [];
  const shown = [...drawn, ...plain.slice(0, plain.length - hidden.length)].sort((one, other) =>
    compare(one.id, other.id),
  );
  const children: Item[] = [];
  if (node.players > 0) {
    children.push({
      box: { kind: 'players', id: `players of ${node.id}`, of: node },
      size: PLAYERS,
      children: [],
    });
  }
  children.push(...shown.map(itemOf));
  if (hidden.length > 0) {
    children.push({
      box: { kind: 'more', id: `more of ${node.id}`, nodes: hidden },
      size: NODE,
      children: [],
    });
  }
  return { box: { kind: 'node', id: node.id, node }, size: NODE, children };
}

function across(items: readonly Item[], roomPx: number): Layout {
  const columns = Math.max(1, ...items.map(depthOf));
  const roomForNodes = roomPx - 2 * MARGIN - PLAYERS_GAP - PLAYERS.width;
  const fitting = (roomForNodes - (columns - 1) * MIN_COLUMN_GAP) / columns;
  const nodeWidth = Math.floor(Math.min(NODE.width, Math.max(MIN_NODE_WIDTH, fitting)));
  const spare = (roomForNodes - columns * nodeWidth) / Math.max(1, columns - 1);
  const gap = Math.min(MAX_COLUMN_GAP, Math.max(MIN_COLUMN_GAP, spare));
  const placed: Placed[] = [];
  let bottom = MARGIN;
  /** Places an item and all that hangs on it; gives its middle. */
  const place = (item: Item, x: number, parent: string | null): number => {
    const { box, size } = item;
    const width = box.kind === 'players' ? size.width : nodeWidth;
    const at = placed.length;
    const own = { box, x, y: bottom, width, height: size.height, parent };
    placed.push(own);
    const middles: number[] = [];
    for (const child of item.children) {
      const away = child.box.kind === 'players' ? PLAYERS_GAP : gap;
      middles.push(place(child, x + width + away, box.id));
    }
    const [first, last] = [middles[0], middles.at(-1)];
    const wanted = first === undefined || last === undefined ? own.y : (first + last - size.height) / 2;
    // A lone small child is no reason to stand above one's own row: it moves down instead.
    const y = Math.max(own.y, wanted);
    placed[at] = { ...own, y };
    if (middles.length === 1) shift(placed, at + 1, y - wanted);
    bottom = Math.max(bottom, y + size.height + ROW_GAP);
    return y + size.height / 2;
  };
  for (const item of items) place(item, MARGIN, null);
  return {
    direction: 'across',
    width: Math.max(...placed.map(({ x, width }) => x + width), 0) + MARGIN,
    height: Math.max(...placed.map(({ y, height }) => y + height), 0) + MARGIN,
    placed,
  };
}

function shift(placed: Placed[], from: number, byPx: number): void {
  for (const [at, each] of placed.entries()) {
    if (at >= from) placed[at] = { ...each, y: each.y + byPx };
  }
}

function down(items: readonly Item[], roomPx: number): Layout {
  const placed: Placed[] = [];
  let y = MARGIN;
  const place = (item: Item, depth: number, parent: string | null): void => {
    const x = MARGIN + depth * INDENT;
    const room = roomPx - x - MARGIN;
    const width = Math.max(NODE.width, item.size === NODE ? Math.min(room, 2 * NODE.width) : 0);
    placed.push({
      box: item.box,
      x,
      y,
      width: item.size === NODE ? width : item.size.width,
      height: item.size.height,
      parent,
    });
    y += item.size.height + DOWN_GAP;
    for (const child of item.children) place(child, depth + 1, item.box.id);
  };
  for (const item of items) place(item, 0, null);
  return {
    direction: 'down',
    width: Math.max(...placed.map(({ x, width }) => x + width), 0) + MARGIN,
    height: y,
    placed,
  };
}

/** Columns of nodes. */
function depthOf({ box, children }: Item): number {
  return box.kind === 'players' ? 0 : 1 + Math.max(0, ...children.map(depthOf));
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
