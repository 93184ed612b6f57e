// What the ws package is held to at both ends of a link. Constants only.
import { MAX_MEDIA_BYTES } from '../format/mesh/media-codec.ts';

/** Apart from its uses, as @types/ws 8.18 doesn't know some of them. */
export const WS_BOUNDS = {
  perMessageDeflate: false,
  maxPayload: MAX_MEDIA_BYTES,
  /** No node sends fragments (RFC 6455 §5.4). */
  maxFragments: 1,
  /** Reads that one message may come in. */
  maxBufferedChunks: 65_536,
  /** Beyond it ws ends the connection without a word: link.ts's own bound comes first. */
  maxPendingAutoPongs: 128,
  closeTimeout: 1_000,
} as const;
