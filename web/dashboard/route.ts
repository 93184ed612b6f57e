// Which view the hash of the address asks for, and the hash of a view: `#/streams?q=live&page=2`. Pure.
import type { StreamSort } from '../../src/http/forms/streams.ts';
import type { TrafficAnswer } from '../../src/http/forms/traffic.ts';

export type Order = 'asc' | 'desc';
/** How traffic is summed up. */
export type TrafficBy = TrafficAnswer['by'];

/** What is asked of the list of streams. */
export interface StreamsAsked {
  readonly search: string;
  readonly sort: StreamSort;
  readonly order: Order;
  readonly page: number;
}

export type View =
  | { readonly at: 'cluster' }
  | ({ readonly at: 'streams' } & StreamsAsked)
  | { readonly at: 'stream'; readonly key: string }
  | { readonly at: 'node'; readonly node: string }
  | { readonly at: 'alarms' }
  | { readonly at: 'why'; readonly stream: string }
  | { readonly at: 'traffic'; readonly by: TrafficBy }
  | { readonly at: 'unknown' };

/** How streams can be sorted (`sort=` of the API). */
export const SORTS: readonly StreamSort[] = ['key', 'players', 'bitsPerS', 'nodes', 'since'];
const SUMS: readonly TrafficBy[] = ['node', 'stream', 'protocol', 'regions', 'all'];
const STREAM_KEY = /^[A-Za-z0-9_.-]{1,64}\/[A-Za-z0-9_.-]{1,64}$/;
const NODE_ID = /^[A-Za-z0-9_.-]{1,64}$/;
const MAX_SEARCH_CHARS = 129;

/** Is it what a stream key can be? */
export function isStreamKey(text: string): boolean {
  return STREAM_KEY.test(text);
}

/** @param hash with its `#`, as in `location.hash`; whatever is no view is `unknown` */
export function viewOf(hash: string): View {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const asked = new URLSearchParams(query);
  const [first = '', ...rest] = path.split('/').filter((part) => part !== '');
  const more = rest.map(decoded).join('/');
  switch (first) {
    case '':
      return { at: 'cluster' };
    case 'streams':
      if (more !== '') return isStreamKey(more) ? { at: 'stream', key: more } : { at: 'unknown' };
      return {
        at: 'streams',
        search: (asked.get('q') ?? '').slice(0, MAX_SEARCH_CHARS),
        ...sortIn(asked),
        page: pageIn(asked.get('page')),
      };
    case 'nodes':
      return NODE_ID.test(more) ? { at: 'node', node: more } : { at: more === '' ? 'cluster' : 'unknown' };
    case 'alarms':
      return { at: 'alarms' };
    case 'why':
      return { at: 'why', stream: (asked.get('stream') ?? '').slice(0, MAX_SEARCH_CHARS) };
    case 'traffic':
      return { at: 'traffic', by: oneOf(SUMS, asked.get('by')) ?? 'node' };
    default:
      return { at: 'unknown' };
  }
}

/** The hash that `viewOf` reads as this view. */
export function hashOf(view: View): string {
  switch (view.at) {
    case 'cluster':
    case 'unknown':
      return '#/';
    case 'streams':
      return withQuery('#/streams', {
        q: view.search,
        sort: view.sort === 'key' ? '' : view.sort,
        order: view.order === usualOrder(view.sort) ? '' : view.order,
        page: view.page === 1 ? '' : String(view.page),
      });
    case 'stream':
      return `#/streams/${view.key}`;
    case 'node':
      return `#/nodes/${view.node}`;
    case 'alarms':
      return '#/alarms';
    case 'why':
      return withQuery('#/why', { stream: view.stream });
    case 'traffic':
      return withQuery('#/traffic', { by: view.by === 'node' ? '' : view.by });
  }
}

/** Names begin with the first, figures with the highest. */
export function usualOrder(sort: StreamSort): Order {
  return sort === 'key' ? 'asc' : 'desc';
}

/** A path with a query of what is not empty. */
export function withQuery(path: string, query: Readonly<Record<string, string | number>>): string {
  const given = Object.entries(query)
    .filter(([, value]) => value !== '')
    .map(([name, value]): [string, string] => [name, String(value)]);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

function oneOf<T extends string>(allowed: readonly T[], given: string | null): T | undefined {
  return allowed.find((each) => each === given);
}

function sortIn(asked: URLSearchParams): { readonly sort: StreamSort; readonly order: Order } {
  const sort = oneOf(SORTS, asked.get('sort')) ?? 'key';
  return { sort, order: oneOf(['asc', 'desc'], asked.get('order')) ?? usualOrder(sort) };
}

function pageIn(given: string | null): number {
  return given !== null && /^[1-9]\d{0,4}$/.test(given) ? Number(given) : 1;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
