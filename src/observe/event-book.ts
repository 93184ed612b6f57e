// The newest lines of this node's log that tell what became of it, its links and its streams: kept for
// lists. What anybody can cause at will is left out, or kept apart, so that it never pushes out the rest.
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { isSecretField, type LogTap, type TappedLevel } from '../base/log.ts';
import type { Table } from '../base/table.ts';
import { counter, type MetricFamily } from './metrics.ts';

/** One line, as it is told. */
export interface EventLine {
  /** Counts up. */
  readonly id: number;
  readonly node: string;
  /** ISO 8601. */
  readonly time: string;
  readonly level: TappedLevel;
  readonly event: string;
  readonly stream: string | null;
  readonly fields: Record<string, string | number | boolean>;
}

export interface EventQuery {
  readonly stream?: string | undefined;
  /** Only lines with a higher id. */
  readonly after?: number | undefined;
  /** Only lines of the last so many ms. */
  readonly withinMs?: number | undefined;
  readonly limit: number;
}

/** How many lines are kept: of the node and its links, of its streams, and those that strangers can cause. */
const KEPT = { node: 300, streams: 500, strangers: 200 } as const;
type Shelf = keyof typeof KEPT;
const MAX_FIELDS = 24;
const MAX_CHARS = 300;

/** Players come and go by the thousand, and anybody can be told no. */
const LEFT_OUT = /^(play\.|(http|rtmp)\.refused$)/;
const OF_STRANGERS = /^(mesh\.refused$|http\.)|\.(wire-error|accept-failed|internal-error)$/;
const OF_STREAMS = /^(publish|relay|preload|alarm|session|stream)\./;
const STREAM_KEY = /^[A-Za-z0-9_.-]{1,64}\/[A-Za-z0-9_.-]{1,64}$/;
/** What a URL may hold besides its address. */
const USER_INFO = /(:\/\/)[^\s/@]*@/g;
const QUERY = /\?[^\s'"]*/g;

export class EventBook {
  readonly #node: string;
  readonly #clock: Clock;
  /** The oldest first; bounded by KEPT. */
  readonly #shelves: Readonly<Record<Shelf, EventLine[]>> = { node: [], streams: [], strangers: [] };
  readonly #counts: Record<TappedLevel, number> = { info: 0, warn: 0, error: 0 };
  #lastId = 0;

  constructor({ node, clock }: { readonly node: string; readonly clock: Clock }) {
    this.#node = node;
    this.#clock = clock;
  }

  /** Takes a line of the log. */
  readonly take: LogTap = (level, fields, event) => {
    this.#counts[level] += 1;
    if (LEFT_OUT.test(event)) return;
    this.#lastId += 1;
    const { stream } = fields as { readonly stream?: unknown };
    const line: EventLine = {
      ...{ id: this.#lastId, node: this.#node, time: new Date(this.#clock.wallMs()).toISOString() },
      ...{ level, event, stream: typeof stream === 'string' && STREAM_KEY.test(stream) ? stream : null },
      fields: shown(fields),
    };
    const shelf = shelfOf(event);
    const lines = this.#shelves[shelf];
    lines.push(line);
    if (lines.length > KEPT[shelf]) lines.shift();
  };

  /** The newest first. */
  list({ stream, after = 0, withinMs, limit }: EventQuery): {
    readonly total: number;
    readonly rows: EventLine[];
  } {
    const { node, streams, strangers } = this.#shelves;
    const from = withinMs === undefined ? '' : new Date(this.#clock.wallMs() - withinMs).toISOString();
    const rows = [...node, ...streams, ...strangers].filter(
      (line) => line.id > after && line.time >= from && (stream === undefined || line.stream === stream),
    );
    rows.sort((a, b) => b.id - a.id);
    return { total: rows.length, rows: rows.slice(0, limit) };
  }

  get tables(): Table[] {
    const { node, streams, strangers } = this.#shelves;
    return [{ table: 'events', entries: node.length + streams.length + strangers.length, limit: undefined }];
  }

  metrics(): MetricFamily[] {
    return [
      counter(
        'tideway_log_lines_total',
        'Lines of the log, by level; whether they are written or not.',
        Object.entries(this.#counts).map(([level, value]) => ({ labels: { level }, value })),
      ),
    ];
  }
}

function shelfOf(event: string): Shelf {
  if (OF_STRANGERS.test(event)) return 'strangers';
  return OF_STREAMS.test(event) ? 'streams' : 'node';
}

/** Plain values only, and nothing secret: lists show them to more people than read the log. */
function shown(fields: object): EventLine['fields'] {
  const kept: EventLine['fields'] = {};
  let count = 0;
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'stream' || isSecretField(name)) continue;
    const plain = value instanceof Error ? messageOf(value) : value;
    if (!isPlain(plain)) continue;
    kept[name] = typeof plain === 'string' ? cleaned(plain) : plain;
    count += 1;
    if (count === MAX_FIELDS) break;
  }
  return kept;
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

function cleaned(text: string): string {
  // First the secrets: the part of a URL that is left of a cut has none of the marks by which they are known.
  return text.replaceAll(USER_INFO, '$1').replaceAll(QUERY, '').slice(0, MAX_CHARS);
}
