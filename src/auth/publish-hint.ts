// What somebody who wants to publish a stream puts behind its key, in words: for the lines that they paste. Pure.
import type { StreamKey } from '../base/stream-key.ts';
import type { Way } from './rules.ts';

export interface PublishHint {
  readonly stream: StreamKey;
  /** What stands behind the stream key, with a placeholder for what is secret. */
  readonly append: string;
  /** What to put there, or why nothing helps; null: nothing is needed. */
  readonly note: string | null;
}

/** The stream of hints; any other that a rule lets in works. */
export const HINT_STREAM = { app: 'live', name: 'demo' } as const;

/** @param ways that let publishers of the stream in; the first is the one that is shown */
export function publishHint(stream: StreamKey, [way = 'none']: readonly Way[]): PublishHint {
  switch (way) {
    case 'open':
      return { stream, append: '', note: null };
    case 'secret':
      return {
        ...{ stream, append: '?key=YOUR-PUBLISH-SECRET' },
        note: 'This node wants a publish secret: put it in the place of YOUR-PUBLISH-SECRET.',
      };
    case 'signed':
      return {
        ...{ stream, append: '?OUTPUT-OF-TIDEWAY-SIGN' },
        note: `This node wants a signed URL: put what "tideway sign publish ${stream}" prints in the place of OUTPUT-OF-TIDEWAY-SIGN.`,
      };
    case 'jwt':
      return {
        ...{ stream, append: '?tw_token=YOUR-TOKEN' },
        note: 'This node wants a token: put yours in the place of YOUR-TOKEN.',
      };
    case 'webhook':
      return { stream, append: '', note: "The operator's own server says who may publish here." };
    case 'none':
      return {
        ...{ stream, append: '' },
        note: `No rule of this node lets anybody publish ${stream}: take a stream key that one does.`,
      };
  }
}
