// What a decision knows of a node: a copy of what its last beat told, some second old. Types only; a node's record in
// the registry has this shape.

/** How busy a node is. */
export interface LoadView {
  /** Of its container or host, 0 to 1. */
  readonly cpu: number;
  readonly memory: number;
  /** Part of its time in which the event loop was busy, 0 to 1. */
  readonly loopBusy: number;
  readonly loopLagMs: number;
  readonly sentBytesPerS: number;
  /** What it may send; 0: nobody knows. */
  readonly capacityBytesPerS: number;
  readonly players: number;
  readonly streams: number;
}

/** Where somebody is: both empty if nobody knows. A zone is one of its region. */
export interface Place {
  readonly region: string;
  readonly zone: string;
}

/** What somebody comes to a node by. */
export type Door = 'rtmp' | 'http';

export interface NodeView extends Place {
  readonly node: string;
  /** "host:port" of its doors, empty where they are shut. */
  readonly rtmp: string;
  readonly http: string;
  readonly version: string;
  readonly draining: boolean;
  readonly load: LoadView;
  /** Round trip from it to other regions, ms: the median of its links into each. */
  readonly rttMs: Readonly<Record<string, number>>;
}
