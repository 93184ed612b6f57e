// What the benchmark's processes are told and what they answer: messages between the bench and the publisher, the crowds
// and the floors that it forks, each as JSON over the IPC channel of node:child_process.

export type WireFormat = 'http-flv' | 'ws-flv' | 'rtmp';

/** Which order an answer is for; every order has an answer. */
interface Numbered {
  readonly id: number;
}

/** What a forked process answers an order it could not carry out. */
export interface Failed extends Numbered {
  readonly failed: string;
}

// The publisher: one process, any number of streams, each on its own RTMP connection.

export type PublisherOrder = Numbered &
  (
    | {
        readonly do: 'publish';
        /** `rtmp://127.0.0.1:1935/live`; the streams are s0, s1, ... */
        readonly url: string;
        readonly streams: number;
        /** Payload of each stream, Mbit/s; the same frames each time (see media-plan.ts). */
        readonly mbps: number;
      }
    | { readonly do: 'measure' }
    /** Ends all streams cleanly behind the frame that is being sent. */
    | { readonly do: 'stop' }
  );

/** Answers `publish` once every stream is on air, `measure` with what was since the last `measure`, `stop` with the rest. */
export interface PublisherReport extends Numbered {
  /** Streams on air. */
  readonly streams: number;
  /** Connections that the server closed. */
  readonly lost: number;
  /** Payload bytes sent since the last `measure`, all streams together. */
  readonly payloadBytes: number;
  /** How late a frame was written at most: the load's own trouble. */
  readonly latestMs: number;
  /** The most bytes that waited in a socket: the server's trouble. */
  readonly backlogBytes: number;
  /** CPU that this process took since the last `measure`. */
  readonly cpuMs: number;
}

// A crowd: one process, many players of one server, in groups.

export type CrowdOrder = Numbered &
  (
    | {
        readonly do: 'join';
        readonly group: string;
        readonly format: WireFormat;
        /** `127.0.0.1:8080` */
        readonly at: string;
        /** One stream, or several that the players take in turn: `live/s0`. */
        readonly streams: readonly string[];
        readonly players: number;
        /** They connect evenly within this time. */
        readonly withinMs: number;
        /** Connect and ask, and then never read. */
        readonly frozen?: boolean;
      }
    /** What the group saw since the last `measure` or `join`. */
    | { readonly do: 'measure'; readonly group: string }
    | { readonly do: 'leave'; readonly group: string }
  );

/** Answers `join` once each player has its first key frame or has failed (frozen ones: has asked). */
export interface CrowdReport extends Numbered {
  /** Closed by the server, or never let in. Of frozen ones the kernel is asked, as they don't notice. */
  readonly lost: number;
  /** Bytes received since the last `measure`, all players. */
  readonly bytes: number;
  /** Of what they should have had since they joined, the part that the players got: see delivery.ts. Frozen: 0. */
  readonly delivery: number;
  /**
   * From the mark in a frame, written as it was sent, to its last byte's arrival; of the players that look at every
   * frame, and of frames sent since they asked for the stream.
   */
  readonly delayMs: Quantiles;
  /** From connecting to the last byte of the first key frame; of those that joined since the last `measure`. */
  readonly joinMs: Quantiles;
  /** The longest that a player that looks at every frame was without a byte. */
  readonly longestPauseMs: number;
  /** The wall time that this report covers. */
  readonly spanMs: number;
  /** CPU that this process took in it. */
  readonly cpuMs: number;
}

/** Of many measured times. */
export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

// A floor: writes a recorded row of flushes to whoever is connected, and does nothing else.

/**
 * One flush: when, from the start of the record, and how many bytes went to each player. A record is a text file of one
 * line for each, `atMs bytes` (see flush-record.ts): `floor.js RECORD PORT` and `floor RECORD PORT` (floor.c) both take
 * it, say `{"port":N}` on standard output, and play it over and over until SIGTERM.
 */
export type Flush = readonly [atMs: number, bytes: number];
