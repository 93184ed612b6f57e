// Which streams are to be warm where before anybody plays them there, and on which nodes: pure. The rules are the
// operator's (`preload`, `relay.standbyPlayers`).
import { isLike } from '../base/glob.ts';
import type { StreamKey } from '../base/stream-key.ts';

/** Streams whose key is like `match` are kept warm in these regions. */
export interface PreloadRule {
  /** A glob over `app/name` (base/glob.ts). */
  readonly match: string;
  readonly regions: readonly string[];
  /** In each of the regions, 1 to 16. */
  readonly copies: number;
}

/** So many copies of a stream that are to be ready. */
export interface Aim {
  /** Where; undefined: in whichever region. */
  readonly region: string | undefined;
  readonly copies: number;
}

/** What is known when nodes are chosen for an aim. */
export interface AimFacts {
  /** Those that were asked for it before, the first first. */
  readonly asked: readonly string[];
  /** Those that have the stream. */
  readonly holders: readonly string[];
  /** May the node serve this aim: is it there, in the region, and takes it streams? */
  readonly isFit: (node: string) => boolean;
  /** The best of the other nodes; undefined: there is none. */
  readonly choose: (except: ReadonlySet<string>) => string | undefined;
  /** Nodes that never serve it. */
  readonly except: readonly string[];
}

/** The first rule that is for the stream. */
export function preloadRuleOf(key: StreamKey, rules: readonly PreloadRule[]): PreloadRule | undefined {
  return rules.find(({ match }) => isLike(key, match));
}

/** What a rule asks for beside the origin, which is a copy in its own region. */
export function aimsOfRule({ regions, copies }: PreloadRule, originRegion: string): Aim[] {
  return regions
    .map((region) => ({ region, copies: region === originRegion ? copies - 1 : copies }))
    .filter((aim) => aim.copies > 0);
}

/**
 * The nodes that are to have the stream ready: those that were asked before stay; then those that have it anyway, at no
 * cost; then others. Fewer than asked for, if there are no more.
 */
export function nodesFor({ copies }: Aim, facts: AimFacts): string[] {
  const { asked, holders, isFit, choose, except } = facts;
  const passed = new Set(except);
  const chosen = [...new Set([...asked, ...holders])]
    .filter((node) => isFit(node) && !passed.has(node))
    .slice(0, copies);
  for (const node of chosen) passed.add(node);
  while (chosen.length < copies) {
    const next = choose(passed);
    if (next === undefined || passed.has(next)) break;
    passed.add(next);
    if (isFit(next)) chosen.push(next);
  }
  return chosen;
}

/**
 * Is a stream with so many players on this node to have a second node that others can pull it from? Once it has, it
 * keeps that until the players are fewer than half as many.
 * @param threshold of `relay.standbyPlayers`; 0: never
 */
export function wantsStandby(players: number, threshold: number, had: boolean): boolean {
  return threshold > 0 && players >= (had ? threshold / 2 : threshold);
}
