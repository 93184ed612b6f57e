// What the page knows of the cluster by what it was told live, and how old that is. Pure: an event in, the next state out.
import type { AlarmRow, EventRow } from '../../src/http/forms/alarms.ts';
import type { LiveData, LiveName } from '../../src/http/forms/live.ts';
import type { NodeRow, StatusAnswer } from '../../src/http/forms/nodes.ts';
import type { TreeAnswer } from '../../src/http/forms/streams.ts';
import { type LoadHistory, withSample } from './load-history.ts';

/** One event of `/api/v1/events`. */
export type LiveEvent = { [K in LiveName]: { readonly name: K; readonly data: LiveData<K> } }[LiveName];

export interface LiveState {
  /** By the page's own clock; undefined: nothing was told yet. */
  readonly toldWallMs: number | undefined;
  /** What comes next of nodes is all of them: the connection is new. */
  readonly expectsAllNodes: boolean;
  readonly status: StatusAnswer | undefined;
  readonly nodes: ReadonlyMap<string, NodeRow>;
  readonly loads: LoadHistory;
  /** Of the stream that is looked at; null: nobody has it; undefined: not told yet. */
  readonly tree: TreeAnswer | null | undefined;
  /** Those that last, and those that ended since the page was opened; by node and id. */
  readonly alarms: ReadonlyMap<string, AlarmRow>;
  /** Newest first. */
  readonly events: readonly EventRow[];
}

/** How the connection stands. */
export type LinkState =
  | { readonly at: 'connecting' }
  | { readonly at: 'open' }
  | { readonly at: 'away'; readonly why: string }
  /** 401 or 403: `code` says which door is shut. */
  | { readonly at: 'locked'; readonly code: string; readonly detail: string };

export const EMPTY: LiveState = {
  toldWallMs: undefined,
  expectsAllNodes: true,
  status: undefined,
  nodes: new Map(),
  loads: new Map(),
  tree: undefined,
  alarms: new Map(),
  events: [],
};

/** A status comes each second. */
export const FRESH_MS = 3500;
const MAX_EVENTS = 500;
const MAX_ALARMS = 500;

const NAMES: Readonly<Record<LiveName, true>> = {
  hello: true,
  status: true,
  nodes: true,
  stream: true,
  alarm: true,
  event: true,
};

/** What was read, as an event; undefined for names that are not known, and for what is no JSON. */
export function liveEvent(name: string, text: string): LiveEvent | undefined {
  if (!Object.hasOwn(NAMES, name)) return undefined;
  try {
    return { name, data: JSON.parse(text) } as LiveEvent;
  } catch {
    return undefined;
  }
}

/** The state after an event. */
export function told(state: LiveState, event: LiveEvent, nowWallMs: number): LiveState {
  const next = { ...state, toldWallMs: nowWallMs };
  switch (event.name) {
    case 'hello':
      // Alarms that ended meanwhile would last for ever here: all that last are told again.
      return { ...next, expectsAllNodes: true, alarms: endedOnes(state.alarms) };
    case 'status':
      return { ...next, status: event.data, loads: withSample(state.loads, state.nodes) };
    case 'nodes': {
      const nodes = state.expectsAllNodes ? new Map<string, NodeRow>() : new Map(state.nodes);
      for (const row of event.data.changed) nodes.set(row.node, row);
      for (const node of event.data.gone) nodes.delete(node);
      return { ...next, nodes, expectsAllNodes: false };
    }
    case 'stream':
      return { ...next, tree: event.data };
    case 'alarm': {
      const alarms = new Map(state.alarms);
      const id = alarmId(event.data);
      // Told anew, it moves to the end: the oldest go first when there are too many.
      alarms.delete(id);
      alarms.set(id, event.data);
      for (const [oldest] of alarms) {
        if (alarms.size <= MAX_ALARMS) break;
        alarms.delete(oldest);
      }
      return { ...next, alarms };
    }
    case 'event':
      return { ...next, events: [event.data, ...state.events].slice(0, MAX_EVENTS) };
  }
}

/** Is what the state says older than it should be? */
export function isStale({ toldWallMs }: LiveState, nowWallMs: number): boolean {
  return toldWallMs === undefined || nowWallMs - toldWallMs > FRESH_MS;
}

/** Those that last, newest first. */
export function lastingAlarms(alarms: ReadonlyMap<string, AlarmRow>): AlarmRow[] {
  return [...alarms.values()]
    .filter(({ until }) => until === null)
    .sort((one, other) => other.since.localeCompare(one.since));
}

/** Of one alarm: a node that was started anew counts its alarms from the beginning. */
export function alarmId({ node, id, since }: AlarmRow): string {
  return `${node} ${id} ${since}`;
}

function endedOnes(alarms: ReadonlyMap<string, AlarmRow>): ReadonlyMap<string, AlarmRow> {
  return new Map([...alarms].filter(([, { until }]) => until !== null));
}
