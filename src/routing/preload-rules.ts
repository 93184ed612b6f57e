// Which streams are to be warm where before anybody plays them there: pure. The rules are the operator's (`preload`).
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

/** The first rule that is for the stream. */
export function preloadRuleOf(key: StreamKey, rules: readonly PreloadRule[]): PreloadRule | undefined {
  return rules.find(({ match }) => isLike(key, match));
}
