// What the rest of the mesh sees of a link to another node, and what a link tells its owner. Types only.
import type { Reason } from '../base/errors.ts';
import type { Control, ControlMessage } from '../format/mesh/control.ts';
import type { MediaMessage } from '../format/mesh/media-codec.ts';

/** How a link does, from its beats and its bytes. */
export interface LinkQuality {
  /** Round trip, smoothed, ms. */
  readonly rttMs: number;
  /** Its mean deviation, ms. */
  readonly rttDevMs: number;
  /** The peer's monotonic time minus ours, ms, and how far that may be wrong. */
  readonly offsetMs: number;
  readonly errorMs: number;
  /** Of the peer's beats of the last 10 s, the part that did not come in time, 0 to 1. */
  readonly lossShare: number;
  /** Smoothed over some seconds. */
  readonly receivedBytesPerS: number;
  readonly sentBytesPerS: number;
}

/** What a beat tells of the streams that a peer pulls. */
export type ToldHeads = Required<Pick<Control<'beat'>, 'heads' | 'cameAt'>>;

/** Another node, over an open link. A node that comes back, by a new link, is a new Peer. */
export interface Peer {
  readonly node: string;
  readonly boot: string;
  readonly isOpen: boolean;
  /** Did this node dial it? */
  readonly isDialled: boolean;
  /** When the connection was made. */
  readonly sinceMs: number;
  /** Bytes read ever. */
  readonly receivedBytes: number;
  /** Bytes handed to the socket and not yet taken by the kernel. */
  readonly backlogBytes: number;
  /** Bytes handed to the socket ever, and those of them that the peer has read. */
  readonly sentBytes: number;
  readonly takenBytes: number;
  /** Of what is sent and not taken yet, more than this makes what is sent next wait (send-window.ts). */
  readonly windowBytes: number;
  /** Undefined before the first sample. */
  readonly quality: LinkQuality | undefined;
  /** Registry time as the peer told it last, carried on to now, ms since 1970; undefined if it doesn't know it. */
  readonly registryWallMs: number | undefined;
  /** Never throws; dropped when the link is closed. */
  send(message: ControlMessage): void;
  /** WebSocket messages, framed as a server's (MeshEncoder); the buffer stays the caller's and must not change. */
  write(framed: Buffer): void;
  /** Ms since a byte of it came; without the time for which this process itself stood still. */
  silentMs(nowMs: number): number;
  /** Calm when repeated. The owner is told at once. */
  close(why: Reason): void;
}

/**
 * What a link tells its owner. A WireError that is thrown by `control` or `media` closes that link and nothing else.
 * When a link replaces another of the same node, `closed` of the old one comes before `opened` of the new one.
 */
export interface LinkOwner {
  opened(peer: Peer): void;
  /** All but hello, proof and got; beats, too. */
  control(peer: Peer, message: ControlMessage): void;
  /** Payloads are the owner's to keep. */
  /** @param bodyBytes of the message, as it came */
  media(peer: Peer, message: MediaMessage, bodyBytes: number): void;
  /** The socket's queue ran empty, or the peer has read more of what was sent. */
  drained(peer: Peer): void;
  /** Once for each that was opened; nothing comes of it afterwards. */
  closed(peer: Peer, why: Reason): void;
  /** For the next beat: streams subscribed on this link whose head moved since the last. */
  heads(peer: Peer): ToldHeads;
}
