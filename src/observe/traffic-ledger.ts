// What this node carried: media bytes by stream, protocol, direction and the other node's region; since its start, and in the
// last hour. Who carries bytes is handed a count to add to; it is read here, once a minute and when somebody asks.
import type { ByteCount } from '../base/byte-count.ts';
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';

export type TrafficProtocol = 'rtmp' | 'http-flv' | 'ws-flv' | 'mesh';

/** Of which traffic a count is. */
export interface TrafficKind {
  readonly protocol: TrafficProtocol;
  /** in: from publishers or other nodes; out: to players or other nodes. */
  readonly direction: 'in' | 'out';
  /** The other node's; null of publishers and players. */
  readonly region: string | null;
}

/** One count, as it stands. */
export interface TrafficSum extends TrafficKind {
  /** Null: of all streams that are counted together. */
  readonly stream: StreamKey | null;
  readonly bytes: number;
  readonly windowBytes: number;
}

export interface TrafficLedgerNeeds {
  readonly clock: Clock;
  /** Is the stream at this node? */
  readonly isHere: (key: StreamKey) => boolean;
}

/** How far the window goes back, ms: the last of its minutes is not over yet. */
export const TRAFFIC_WINDOW_MS = 3_600_000;
const MINUTE_MS = 60_000;
const MINUTES = TRAFFIC_WINDOW_MS / MINUTE_MS;
/** Counts of single streams; with those of all others, fewer than an answer may have. */
export const MAX_STREAM_ROWS = 9_000;
/** Beyond so many, streams that are gone are let go sooner. */
const MANY_ROWS = MAX_STREAM_ROWS * 0.9;
/** A stream that is gone is let go when so many minutes went by without a byte; who holds a count and waits is done by then. */
const IDLE_MINUTES = MINUTES;
const IDLE_MINUTES_OF_MANY = 2;
/** Regions that are told apart; they come from records of other nodes. */
const MAX_REGIONS = 64;

/** A count, and what it was minute by minute. */
class Row implements TrafficSum {
  readonly stream: StreamKey | null;
  readonly protocol: TrafficProtocol;
  readonly direction: 'in' | 'out';
  readonly region: string | null;
  readonly count: ByteCount = { bytes: 0 };
  /** Minutes that are over, each at its number modulo their count; made with the first byte. */
  #minutes: Float64Array | undefined;
  /** Of those, all; and of all minutes ever. */
  #minutesBytes = 0;
  #closedBytes = 0;

  constructor(stream: StreamKey | null, { protocol, direction, region }: TrafficKind) {
    this.stream = stream;
    this.protocol = protocol;
    this.direction = direction;
    this.region = region;
  }

  get bytes(): number {
    return this.count.bytes;
  }

  get windowBytes(): number {
    return this.#minutesBytes + this.count.bytes - this.#closedBytes;
  }

  /** The minute of this number is over: answers what it was. */
  closeMinute(minute: number): number {
    const bytes = this.count.bytes - this.#closedBytes;
    this.#closedBytes = this.count.bytes;
    if (bytes > 0) this.#minutes ??= new Float64Array(MINUTES);
    if (!this.#minutes) return bytes;
    // The one that begins now is of the window, too: the one that it takes the place of is not any more.
    this.#minutes[minute % MINUTES] = bytes;
    this.#minutesBytes += bytes - (this.#minutes[(minute + 1) % MINUTES] ?? 0);
    return bytes;
  }

  /** Takes over all that another one counted. */
  absorb(other: Row): void {
    this.count.bytes += other.count.bytes;
    this.#closedBytes += other.#closedBytes;
    this.#minutesBytes += other.#minutesBytes;
    if (!other.#minutes) return;
    this.#minutes ??= new Float64Array(MINUTES);
    for (const [at, bytes] of other.#minutes.entries()) this.#minutes[at] = (this.#minutes[at] ?? 0) + bytes;
  }
}

/** What is counted of one stream. */
interface StreamRows {
  readonly byKind: Map<string, Row>;
  /** Since its last byte. */
  idleMinutes: number;
}

export class TrafficLedger {
  readonly #needs: TrafficLedgerNeeds;
  /** Their rows are bounded by MAX_STREAM_ROWS, all together. */
  readonly #streams = new Map<StreamKey, StreamRows>();
  #streamRows = 0;
  /** Of all streams that have no rows of their own, by kind. */
  readonly #others = new Map<string, Row>();
  readonly #regions = new Set<string>();
  #minute = 0;
  #timer: Timer | undefined;

  constructor(needs: TrafficLedgerNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#timer ??= every(this.#needs.clock, MINUTE_MS, () => this.#minuteOver());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The count for this traffic of a stream; the same one each time, as long as the stream is here. */
  of(stream: StreamKey, asked: TrafficKind): ByteCount {
    const kind = { ...asked, region: this.#knownRegion(asked.region) };
    const name = nameOf(kind);
    const rows = this.#streams.get(stream) ?? { byKind: new Map<string, Row>(), idleMinutes: 0 };
    const known = rows.byKind.get(name);
    if (known) return known.count;
    if (this.#streamRows >= MAX_STREAM_ROWS) return this.#other(kind).count;
    const row = new Row(stream, kind);
    rows.byKind.set(name, row);
    rows.idleMinutes = 0;
    this.#streams.set(stream, rows);
    this.#streamRows += 1;
    return row.count;
  }

  /** Counts that are kept for single streams. */
  get table(): Table {
    return { table: 'traffic_rows', entries: this.#streamRows, limit: MAX_STREAM_ROWS };
  }

  /** All counts. */
  *sums(): Generator<TrafficSum> {
    for (const { byKind } of this.#streams.values()) yield* byKind.values();
    yield* this.#others.values();
  }

  #minuteOver(): void {
    for (const row of this.#others.values()) row.closeMinute(this.#minute);
    for (const [stream, rows] of this.#streams) {
      let bytes = 0;
      for (const row of rows.byKind.values()) bytes += row.closeMinute(this.#minute);
      rows.idleMinutes = bytes > 0 ? 0 : rows.idleMinutes + 1;
      const patience = this.#streamRows > MANY_ROWS ? IDLE_MINUTES_OF_MANY : IDLE_MINUTES;
      if (rows.idleMinutes >= patience && !this.#needs.isHere(stream)) this.#letGo(stream, rows);
    }
    this.#minute += 1;
  }

  /** The stream is gone: what it was is counted with others from now on. */
  #letGo(stream: StreamKey, { byKind }: StreamRows): void {
    this.#streams.delete(stream);
    this.#streamRows -= byKind.size;
    for (const row of byKind.values()) this.#other(row).absorb(row);
  }

  #other(kind: TrafficKind): Row {
    const name = nameOf(kind);
    const known = this.#others.get(name);
    if (known) return known;
    const row = new Row(null, kind);
    this.#others.set(name, row);
    return row;
  }

  #knownRegion(region: string | null): string | null {
    if (region === null || this.#regions.has(region)) return region;
    if (this.#regions.size >= MAX_REGIONS) return 'other';
    this.#regions.add(region);
    return region;
  }
}

function nameOf({ protocol, direction, region }: TrafficKind): string {
  return JSON.stringify([protocol, direction, region]);
}
