// The tree of one stream as a picture: regions as boxes, nodes as circles, links with what they cost. Pure; colours that can
// be read on light and dark.
import type { Copy } from './tree.ts';
import { nodeRttMs, type World } from './world.ts';

const COLUMN = 150;
const ROW = 46;
const PAD = 18;
const TITLE = 22;
const RADIUS = 9;

interface Placed {
  readonly copy: Copy;
  readonly x: number;
  readonly y: number;
}

/** @param copies of one stream, its origin among them */
export function drawTree(copies: readonly Copy[], world: World): string {
  const places = new Map<Copy, Placed>();
  const boxes: string[] = [];
  let y = PAD;
  const widest = Math.max(...copies.map(({ hops }) => hops));
  const width = PAD * 4 + COLUMN * (widest + 0.6);
  for (const region of regionsOf(copies)) {
    const own = copies.filter(({ node }) => node.regionName === region);
    const top = y + TITLE;
    let rows = 1;
    for (const hops of new Set(own.map((copy) => copy.hops))) {
      const column = own.filter((copy) => copy.hops === hops).sort(byParent(places));
      rows = Math.max(rows, column.length);
      for (const [at, copy] of column.entries()) {
        places.set(copy, { copy, x: PAD * 3 + COLUMN * hops, y: top + ROW * (at + 0.5) });
      }
    }
    const height = TITLE + rows * ROW;
    boxes.push(
      `<rect x="${PAD}" y="${y}" width="${width - 2 * PAD}" height="${height}" rx="8" class="r"/>`,
      `<text x="${PAD + 10}" y="${y + 16}" class="n">${region}</text>`,
    );
    y += height + PAD;
  }
  const all = [...places.values()];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif">`,
    '<title>The tree of one stream: regions, their nodes, and who pulls from whom</title>',
    `<style>.r{fill:#8881;stroke:#888}.n{font-size:12px;font-weight:bold;fill:#888}.t{font-size:10px;fill:#888}`,
    `.l{fill:none;stroke:#3a8fb7;stroke-width:1.5}.p{stroke:#d9822b;stroke-width:2.5}.c{fill:#3a8fb7}.o{fill:#2e9e5b}</style>`,
    ...boxes,
    ...all.flatMap((place) => link(place, places, world)),
    ...all.flatMap(circle),
    '</svg>\n',
  ].join('\n');
}

function link({ copy, x, y }: Placed, places: ReadonlyMap<Copy, Placed>, world: World): string[] {
  const from = copy.parent && places.get(copy.parent);
  if (!from) return [];
  const rtt = nodeRttMs(world, from.copy.node, copy.node);
  const pays = copy.pricePaid > 0;
  const bend = (x - from.x) / 2;
  const path = `<path d="M${from.x} ${r(from.y)}C${r(from.x + bend)} ${r(from.y)} ${r(x - bend)} ${r(y)} ${x} ${r(y)}" class="l${pays ? ' p' : ''}"/>`;
  // Within a region all are alike, so that only what crosses a border is told.
  const isNear = from.copy.node.region === copy.node.region;
  const label = `$${copy.pricePaid}/GB, ${rtt.toFixed(0)} ms`;
  return isNear
    ? [path]
    : [path, `<text x="${x - 8}" y="${r(y + 18)}" class="t" text-anchor="end">${label}</text>`];
}

function circle({ copy, x, y }: Placed): string[] {
  const kind = copy.hops === 0 ? 'o' : 'c';
  const { players, node } = copy;
  return [
    `<circle cx="${x}" cy="${r(y)}" r="${RADIUS}" class="${kind}"/>`,
    `<text x="${x}" y="${r(y - 13)}" class="t" text-anchor="middle">${node.name.slice(node.regionName.length + 1)}: ${players}</text>`,
  ];
}

/** The origin's first, then by how far they are from it. */
function regionsOf(copies: readonly Copy[]): string[] {
  const nearest = new Map<string, number>();
  for (const { node, hops } of copies) {
    nearest.set(node.regionName, Math.min(hops, nearest.get(node.regionName) ?? hops));
  }
  return [...nearest].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).map(([region]) => region);
}

/** Below each other as their parents are, so that links don't cross. */
function byParent(places: ReadonlyMap<Copy, Placed>): (a: Copy, b: Copy) => number {
  const of = (copy: Copy) => (copy.parent && places.get(copy.parent)?.y) ?? 0;
  return (a, b) => of(a) - of(b) || (a.node.name < b.node.name ? -1 : 1);
}

function r(value: number): number {
  return Math.round(value);
}
