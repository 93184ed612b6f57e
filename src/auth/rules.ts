// Who may publish and play what: the rules of the operator, by action and stream key. Pure.
import { isLike } from '../base/glob.ts';
import type { StreamKey } from '../base/stream-key.ts';

/** What somebody wants to do with a stream. */
export type Action = 'publish' | 'play';

/** What lets somebody in. `none` lets nobody in, `open` everybody; the others go by what is given with the request. */
export type Way = 'none' | 'open' | 'secret' | 'signed' | 'jwt' | 'webhook';

/** What lets people in to the streams whose key is like `match` (base/glob.ts): any one of its ways does. */
export interface AuthRule {
  readonly match: string;
  readonly allow: readonly Way[];
}

/** The rules that count where the operator gave none: publishing by the secret, if there is one; playing is open. */
export function defaultRules(action: Action, publishSecret: string | undefined): readonly AuthRule[] {
  return [{ match: '*', allow: [action === 'publish' && publishSecret !== undefined ? 'secret' : 'open'] }];
}

/** What lets people in to a stream: the first rule that matches counts, and where none does, nothing. */
export function waysTo(key: StreamKey, rules: readonly AuthRule[]): readonly Way[] {
  return rules.find(({ match }) => isLike(key, match))?.allow ?? NOTHING;
}

/** Do the rules let anybody in to some stream, whoever it is? */
export function letAnybodyIn(rules: readonly AuthRule[]): boolean {
  return rules.some(({ allow }) => allow.includes('open'));
}

const NOTHING: readonly Way[] = ['none'];
