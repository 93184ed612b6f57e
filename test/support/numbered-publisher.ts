// A publisher of numbered frames. It runs in the harness's own process, as players do, so one clock tells all times.
import { FrameKind } from '../../src/format/frame.ts';
import { MessageType, parseCommand, type RtmpMessage } from '../../src/format/rtmp/message.ts';
import { payloadOf } from './media.ts';
import { numberedPayload, type PlannedFrame, Schedule, type StreamPlan } from './numbered-media.ts';
import { field, RtmpClient } from './rtmp-client.ts';

/** Enhanced RTMP v2, CapsExMask.Reconnect. */
const CAPS_RECONNECT = 0x01;

/** Where streams go in. */
export interface RtmpDoor {
  /** Without it: 127.0.0.1. */
  readonly host?: string;
  readonly rtmpPort: number;
}

export interface PublisherOptions {
  readonly plan: StreamPlan;
  /** `live/show` */
  readonly key: string;
  /** Number of its first session, each reconnect is one more; publishers of one stream must not share them. */
  readonly firstSession?: number;
  /** What follows the stream's name: `?role=backup`. */
  readonly query?: string;
}

/** An encoder: it sends each frame when it is due, by one clock, and begins anew each time that it connects. */
export class NumberedPublisher implements Disposable {
  readonly key: string;
  readonly #plan: StreamPlan;
  readonly #query: string;
  #session: number;
  #client: RtmpClient | undefined;
  #schedule: Schedule;
  #next: PlannedFrame;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #sentId = 0;
  #firstKeySentMs: number | undefined;
  #timesAsked = 0;

  /** One that has no connection yet. */
  constructor({ plan, key, firstSession = 1, query = '' }: PublisherOptions) {
    this.key = key;
    this.#plan = plan;
    this.#query = query;
    this.#session = firstSession - 1;
    this.#schedule = new Schedule(plan);
    this.#next = this.#schedule.next();
  }

  /** Publishes at a node; resolves once that was granted. */
  static async start(doors: RtmpDoor, options: PublisherOptions): Promise<NumberedPublisher> {
    const publisher = new NumberedPublisher(options);
    await publisher.connect(doors);
    return publisher;
  }

  /** Leaves, if it is there yet, and publishes at this node as a new session that begins with its first frame. */
  async connect({ host = '127.0.0.1', rtmpPort }: RtmpDoor): Promise<void> {
    this.drop();
    const [app = '', name = ''] = this.key.split('/');
    const client = await RtmpClient.publishing({ host, port: rtmpPort }, name + this.#query, app, {
      capsEx: CAPS_RECONNECT,
    });
    client.socket.on('data', () => {
      // It keeps all that came: acknowledgements and pings, too.
      for (const message of client.messages.splice(0)) if (asksToReconnect(message)) this.#timesAsked += 1;
    });
    this.#client = client;
    this.#session += 1;
    this.#schedule = new Schedule(this.#plan);
    this.#next = this.#schedule.next();
    this.#sentId = 0;
    this.#firstKeySentMs = undefined;
    const { video, audio } = this.#plan;
    if (video) client.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', 1) });
    if (audio) client.frame({ kind: FrameKind.audio, timestamp: 0, payload: payloadOf('aac header', 1) });
    this.#startedMs = performance.now();
    this.#sendDue();
  }

  /** Of the connection that it has or had last. */
  get session(): number {
    return this.#session;
  }

  /** The newest frame of this session that was sent. */
  get sentId(): number {
    return this.#sentId;
  }

  /** When this session's first key frame was sent, by `performance.now()`. */
  get firstKeySentMs(): number | undefined {
    return this.#firstKeySentMs;
  }

  /** Times that a node asked it to connect again. */
  get timesAskedToReconnect(): number {
    return this.#timesAsked;
  }

  /** It has no connection (any more). */
  get isClosed(): boolean {
    return this.#client?.isClosed ?? true;
  }

  /** Breaks off, as when the cable is pulled. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#client?.destroy();
    this.#client = undefined;
  }

  /** Says that it stops, and leaves. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#client?.call('deleteStream', 0, null, 1);
    this.#client?.socket.end();
  }

  [Symbol.dispose](): void {
    this.drop();
  }

  #sendDue(): void {
    const client = this.#client;
    if (!client || client.isClosed) return;
    const nowMs = performance.now();
    while (this.#startedMs + this.#next.dts <= nowMs) {
      const frame = this.#next;
      const payload = numberedPayload(frame, this.#session, nowMs);
      client.frame({ kind: frame.kind, timestamp: frame.dts, payload });
      if (frame.name === 'avc key') this.#firstKeySentMs ??= nowMs;
      this.#sentId = frame.id;
      this.#next = this.#schedule.next();
    }
    this.#timer = setTimeout(
      () => this.#sendDue(),
      Math.max(1, this.#startedMs + this.#next.dts - performance.now()),
    );
  }
}

function asksToReconnect(message: RtmpMessage): boolean {
  if (message.type !== MessageType.command) return false;
  const { name, args } = parseCommand(message);
  return name === 'onStatus' && field(args[1], 'code') === 'NetConnection.Connect.ReconnectRequest';
}
