// Where a node's media are, for this page, and whether its policy lets it connect there. Pure.
import type { NodeRow } from '../../src/http/forms/nodes.ts';

/**
 * How this page can play from a node. `not-listed`: the page's policy lacks it, as it came after the page was loaded, or has
 * an address that no policy can name.
 */
export type PlayAt =
  | { readonly at: 'url'; readonly url: string }
  | { readonly at: 'not-listed' }
  | { readonly at: 'no-door' };

export interface PageAddress {
  /** What relative addresses are resolved against. */
  readonly base: string;
  /** Origins that the page's policy lists besides its own. */
  readonly origins: ReadonlySet<string>;
}

/**
 * The address of a stream at a node. The mark keeps the player there (src/base/redirect.ts): another one is no answer to
 * "what comes out of this node?".
 */
export function playAt(
  key: string,
  node: Pick<NodeRow, 'http' | 'self'> | undefined,
  { base, origins }: PageAddress,
): PlayAt {
  const path = `${key}.flv?tw_hop=1`;
  if (node?.self) return { at: 'url', url: new URL(path, base).href };
  if (!node || node.http === '') return { at: 'no-door' };
  const origin = originOf(node.http);
  return origins.has(origin) ? { at: 'url', url: `${origin}/${path}` } : { at: 'not-listed' };
}

/** @param http of a node's row: "host:port", or "https://host:port" */
export function originOf(http: string): string {
  return http.startsWith('https://') ? http : `http://${http}`;
}
