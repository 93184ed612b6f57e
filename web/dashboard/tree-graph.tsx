// Draws a stream's tree: boxes that can be focused and pressed over lines in SVG. What moves glides to its new place; what
// stays is left alone. The words beside it are tree.ts's.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { bytes, count, counted, millis } from './format.ts';
import { State, type Tone } from './parts.tsx';
import { flat, type HopVerdict, sentences, type TreeHop, type TreeNode } from './tree.ts';
import { between, type Layout, layOut, linePath, type Placed, type Rect } from './tree-layout.ts';

interface TreeGraphProps {
  readonly roots: readonly TreeNode[];
  readonly selected: string;
  select(node: string): void;
}

const GLIDE_MS = 350;
/** More boxes than this go to their places at once. */
const MAX_GLIDING = 120;
const VERDICTS: Readonly<Record<HopVerdict, string>> = {
  good: '',
  slow: '◆ slow',
  stalled: '▲ stalled',
  unknown: '○ unknown',
};

export function TreeGraph({ roots, selected, select }: TreeGraphProps) {
  const [frame, roomPx] = useRoom();
  const layout = useMemo(() => layOut(roots, roomPx), [roots, roomPx]);
  const places = useGlide(layout);
  const nodes = useMemo(() => new Map(flat(roots).map((node) => [node.id, node])), [roots]);
  return (
    <div ref={frame} class="tree" data-nodes={nodes.size}>
      <ul class="hidden-text">
        {sentences(roots, millis).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      {roomPx > 0 && (
        <fieldset class="tree-scroll" aria-label="Nodes of the tree">
          <div class="tree-plane" style={{ width: `${layout.width}px`, height: `${layout.height}px` }}>
            <svg width={layout.width} height={layout.height} aria-hidden="true">
              {layout.placed.map((placed) => (
                <Line key={placed.box.id} placed={placed} layout={layout} places={places} nodes={nodes} />
              ))}
              {layout.direction === 'across' &&
                layout.placed.map(({ box }) => (
                  <HopWords key={box.id} hop={nodes.get(box.id)?.hop} place={places.get(box.id)} />
                ))}
            </svg>
            {layout.placed.map((placed) => (
              <BoxView
                key={placed.box.id}
                placed={placed}
                place={places.get(placed.box.id) ?? placed}
                isSelected={placed.box.id === selected}
                direction={layout.direction}
                select={select}
              />
            ))}
          </div>
        </fieldset>
      )}
    </div>
  );
}

function Line({
  placed: { box, parent },
  layout: { direction },
  places,
  nodes,
}: {
  placed: Placed;
  layout: Layout;
  places: ReadonlyMap<string, Rect>;
  nodes: ReadonlyMap<string, TreeNode>;
}) {
  const from = parent === null ? undefined : places.get(parent);
  const to = places.get(box.id);
  if (!from || !to) return null;
  const hop = box.kind === 'node' ? (nodes.get(box.id)?.hop ?? null) : null;
  const verdict = hop?.verdict ?? 'good';
  const path = linePath(from, to, direction);
  return (
    <g class={`hop ${verdict} ${box.kind}`}>
      <path class="hop-line" d={path} />
      {verdict !== 'stalled' && verdict !== 'unknown' && box.kind !== 'players' && (
        <path class="hop-flow" d={path} />
      )}
    </g>
  );
}

/** Above and below the end of a line, over all lines. */
function HopWords({ hop, place }: { hop: TreeHop | null | undefined; place: Rect | undefined }) {
  if (!hop || !place) return null;
  const [x, y] = [place.x - 8, place.y + place.height / 2];
  return (
    <text class={`hop-words ${hop.verdict}`} x={x} y={y - 6} text-anchor="end">
      <tspan>{millis(hop.delayMs)}</tspan>
      <tspan class="hop-note" x={x} y={y + 14}>
        {hopNote(hop)}
      </tspan>
    </text>
  );
}

/** What a hop is worth a word for: a verdict that is not good, else what waits in it. */
function hopNote({ verdict, queueBytes }: TreeHop): string {
  return VERDICTS[verdict] || (queueBytes === null ? '' : bytes(queueBytes));
}

function BoxView({
  placed: { box },
  place: { x, y, width, height },
  isSelected,
  direction,
  select,
}: {
  placed: Placed;
  place: Rect;
  isSelected: boolean;
  direction: Layout['direction'];
  select(node: string): void;
}) {
  const style = { transform: `translate(${x}px, ${y}px)`, width: `${width}px`, height: `${height}px` };
  if (box.kind === 'players') {
    return (
      <div class="box players" style={style} title={`Players of ${box.of.id}`}>
        <span class="sign" aria-hidden="true">
          ▶
        </span>
        {counted(box.of.players, 'player')}
      </div>
    );
  }
  if (box.kind === 'more') {
    const players = box.nodes.reduce((sum, node) => sum + node.players, 0);
    return (
      <div class="box more" style={style}>
        <strong>{count(box.nodes.length)} more nodes</strong>
        <span>all well · {counted(players, 'player')}</span>
      </div>
    );
  }
  const { node } = box;
  const { tone, word } = stateOf(node);
  return (
    <button
      type="button"
      class={`box node ${node.knownBy} ${node.role} ${node.hop?.verdict ?? ''}`}
      style={style}
      aria-pressed={isSelected}
      title={node.ageMs === null ? node.id : `${node.id}: frames are ${millis(node.ageMs)} old here`}
      onClick={() => select(node.id)}
    >
      <strong>{node.id}</strong>
      <span class="box-state">
        <State tone={tone}>{word}</State>
        <span class="box-note">
          {direction === 'down' && node.hop
            ? `+${millis(node.hop.delayMs)} ${hopNote(node.hop)}`
            : ageNote(node)}
        </span>
      </span>
    </button>
  );
}

function stateOf({ knownBy, role, state, hop }: TreeNode): { readonly tone: Tone; readonly word: string } {
  if (knownBy === 'stale') return { tone: 'quiet', word: 'no answer' };
  if (state === 'held') return { tone: 'warn', word: `${role}, held` };
  if (hop?.verdict === 'stalled') return { tone: 'bad', word: 'stalled' };
  return { tone: role === 'origin' ? 'accent' : 'good', word: role };
}

function ageNote({ role, ageMs }: TreeNode): string {
  return role === 'origin' || ageMs === null ? '' : millis(ageMs);
}

/** The width that there is, as it changes; 0 until it is known. */
function useRoom() {
  const frame = useRef<HTMLDivElement>(null);
  const [roomPx, setRoomPx] = useState(0);
  useLayoutEffect(() => {
    const root = frame.current;
    if (!root) return;
    const look = () => setRoomPx(root.clientWidth);
    look();
    const resized = new ResizeObserver(() => requestAnimationFrame(look));
    resized.observe(root);
    return () => resized.disconnect();
  }, []);
  return [frame, roomPx] as const;
}

/** Where the boxes are now, on their way to where they belong. Places that are the same again move nothing. */
function useGlide(layout: Layout): ReadonlyMap<string, Rect> {
  const geometry = layout.placed.map(({ box, x, y, width }) => `${box.id} ${x} ${y} ${width}`).join('\n');
  const targets = useMemo(() => new Map(layout.placed.map((placed) => [placed.box.id, placed])), [geometry]);
  const shown = useRef<ReadonlyMap<string, Rect>>(targets);
  const direction = useRef(layout.direction);
  const [, draw] = useState({});
  useEffect(() => {
    const starts = shown.current;
    if (starts === targets) return;
    // A tree that is turned is another picture: nothing in it has moved.
    const isTurned = direction.current !== layout.direction;
    direction.current = layout.direction;
    const isCalm = isTurned || matchMedia('(prefers-reduced-motion: reduce)').matches;
    const startMs = isCalm || targets.size > MAX_GLIDING ? Number.NEGATIVE_INFINITY : performance.now();
    let request = 0;
    const step = () => {
      const part = Math.min(1, (performance.now() - startMs) / GLIDE_MS);
      const eased = 1 - (1 - part) ** 3;
      shown.current = new Map(
        [...targets].map(([id, target]) => [id, between(starts.get(id) ?? target, target, eased)]),
      );
      draw({});
      if (part < 1) request = requestAnimationFrame(step);
    };
    step();
    return () => cancelAnimationFrame(request);
  }, [targets]);
  return shown.current;
}
