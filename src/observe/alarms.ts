// The alarms of this node: those that last, and the last that ended. It holds readings against their bounds with patience,
// and writes down when an alarm begins and ends.
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Table } from '../base/table.ts';
import {
  ALARM_KINDS,
  type AlarmKind,
  type AlarmLimits,
  type Hop,
  isBad,
  isGood,
  PATIENCE,
  type Reading,
  RULES,
  type StreamSigns,
} from './alarm-rules.ts';

/** Of those that ended. */
export const MAX_ENDED = 500;

export interface Alarm {
  /** Counts up within the process. */
  readonly id: number;
  readonly kind: AlarmKind;
  readonly stream: string;
  /** Undefined: it is about the publisher. */
  readonly hop: Hop | undefined;
  readonly sinceWallMs: number;
  /** Undefined while it lasts. */
  readonly untilWallMs: number | undefined;
  /** The worst that was measured. */
  readonly value: number;
  readonly limit: number;
  readonly unit: 'ms' | 'bit/s';
  readonly detail: string;
}

export interface AlarmNeeds {
  readonly clock: Clock;
  readonly log: Log;
}

type Lasting = { -readonly [K in keyof Alarm]: Alarm[K] } & { readonly sinceMs: number };

export class AlarmBook {
  readonly #limits: AlarmLimits;
  readonly #needs: AlarmNeeds;
  /** In the order in which they began; bounded by the streams of the node times the kinds of alarms. */
  readonly #lasting = new Set<Lasting>();
  /** Oldest first; at most MAX_ENDED. */
  #ended: Alarm[] = [];
  #nextId = 1;
  readonly #raised: Record<AlarmKind, number> = {
    stalled: 0,
    'no-key-frame': 0,
    'bitrate-collapsed': 0,
    'hop-slow': 0,
  };

  constructor(limits: AlarmLimits, needs: AlarmNeeds) {
    this.#limits = limits;
    this.#needs = needs;
  }

  /** Those that last. */
  get count(): number {
    return this.#lasting.size;
  }

  get tables(): Table[] {
    return [
      { table: 'alarms', entries: this.#lasting.size, limit: undefined },
      { table: 'alarms_ended', entries: this.#ended.length, limit: undefined },
    ];
  }

  countOf(kind: AlarmKind): number {
    let count = 0;
    for (const alarm of this.#lasting) if (alarm.kind === kind) count += 1;
    return count;
  }

  /** That ever began. */
  raisedOf(kind: AlarmKind): number {
    return this.#raised[kind];
  }

  /** Those that last, then those that ended, each newest first. @param stream of this one only */
  list(stream?: string): Alarm[] {
    const isWanted = (alarm: Alarm) => stream === undefined || alarm.stream === stream;
    return [...[...this.#lasting].reverse(), ...this.#ended.toReversed()].filter(isWanted);
  }

  /** What is watched of one stream. */
  watch(stream: string): StreamAlarms {
    return new StreamAlarms(this.#limits, {
      begin: (kind, reading, detail) => this.#begin(stream, kind, { ...reading, detail }),
    });
  }

  #begin(stream: string, kind: AlarmKind, of: Reading & { readonly detail: string }): OpenAlarm {
    const { hop, value, limit, unit, detail } = of;
    const { clock, log } = this.#needs;
    const alarm: Lasting = {
      ...{ id: this.#nextId, kind, stream, hop, value, limit, unit, detail },
      ...{ sinceMs: clock.now(), sinceWallMs: clock.wallMs(), untilWallMs: undefined },
    };
    this.#nextId += 1;
    this.#raised[kind] += 1;
    this.#lasting.add(alarm);
    log.warn({ ...fieldsOf(alarm), detail }, 'alarm.start');
    return {
      ...{ hop, limit },
      measured: ({ value: now, badWhen }) => {
        alarm.value = badWhen === 'above' ? Math.max(alarm.value, now) : Math.min(alarm.value, now);
      },
      end: () => this.#end(alarm),
    };
  }

  #end(alarm: Lasting): void {
    const { clock, log } = this.#needs;
    if (!this.#lasting.delete(alarm)) return;
    alarm.untilWallMs = clock.wallMs();
    this.#ended.push(alarm);
    if (this.#ended.length > MAX_ENDED) this.#ended = this.#ended.slice(-MAX_ENDED);
    const durationMs = Math.round(clock.now() - alarm.sinceMs);
    log.info({ ...fieldsOf(alarm), durationMs }, 'alarm.end');
  }
}

interface OpenAlarm {
  readonly hop: Hop | undefined;
  readonly limit: number;
  measured(reading: Reading): void;
  end(): void;
}

interface AlarmBegin {
  begin(kind: AlarmKind, reading: Reading, detail: string): OpenAlarm;
}

/** What is bad, or was a moment ago. */
interface Trouble {
  /** Since when it is the one or the other. */
  since: { readonly is: 'bad' | 'good'; readonly ms: number };
  alarm: OpenAlarm | undefined;
}

/** The alarms of one stream. */
export class StreamAlarms {
  readonly #limits: AlarmLimits;
  readonly #book: AlarmBegin;
  /** Of most streams empty; at most one of each kind. */
  readonly #troubles = new Map<AlarmKind, Trouble>();

  constructor(limits: AlarmLimits, book: AlarmBegin) {
    this.#limits = limits;
    this.#book = book;
  }

  /** A look at the stream, which is live. */
  look(signs: StreamSigns, nowMs: number): void {
    for (const kind of ALARM_KINDS) this.#judge(kind, signs, nowMs);
  }

  /** The stream is in hold, or gone: nothing of it can be wrong. */
  endAll(): void {
    for (const kind of [...this.#troubles.keys()]) this.#drop(kind);
  }

  #judge(kind: AlarmKind, signs: StreamSigns, nowMs: number): void {
    const reading = RULES[kind].read(signs, this.#limits);
    const before = this.#troubles.get(kind)?.alarm;
    if (before && reading && !isSameHop(before.hop, reading.hop)) this.#drop(kind);
    const trouble = this.#troubles.get(kind);
    // What was too much when it began is too much until it ends: what is usual may change with the trouble.
    const held = reading && trouble?.alarm ? { ...reading, limit: trouble.alarm.limit } : reading;
    if (held && isBad(held)) this.#bad(kind, held, signs, nowMs);
    else if (trouble && (!trouble.alarm || !held || isGood(held))) this.#good(kind, trouble, nowMs);
  }

  #bad(kind: AlarmKind, reading: Reading, signs: StreamSigns, nowMs: number): void {
    const trouble: Trouble = this.#troubles.get(kind) ?? {
      since: { is: 'bad', ms: nowMs },
      alarm: undefined,
    };
    this.#troubles.set(kind, trouble);
    if (trouble.since.is === 'good') trouble.since = { is: 'bad', ms: nowMs };
    if (trouble.alarm) trouble.alarm.measured(reading);
    else if (nowMs - trouble.since.ms >= PATIENCE[kind].badMs) {
      trouble.alarm = this.#book.begin(kind, reading, RULES[kind].say(signs));
    }
  }

  /** What was bad and raised no alarm yet is forgotten at once. */
  #good(kind: AlarmKind, trouble: Trouble, nowMs: number): void {
    if (trouble.since.is === 'bad') trouble.since = { is: 'good', ms: nowMs };
    if (!trouble.alarm || nowMs - trouble.since.ms >= PATIENCE[kind].goodMs) this.#drop(kind);
  }

  #drop(kind: AlarmKind): void {
    this.#troubles.get(kind)?.alarm?.end();
    this.#troubles.delete(kind);
  }
}

function isSameHop(a: Hop | undefined, b: Hop | undefined): boolean {
  return a?.from === b?.from && a?.to === b?.to;
}

function fieldsOf({ kind, stream, hop, value, limit, unit }: Alarm) {
  return {
    ...{ kind, stream, hop: hop && `${hop.from}>${hop.to}` },
    ...{ value: Math.round(value), limit: Math.round(limit), unit },
  };
}
