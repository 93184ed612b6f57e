// What attackers need: sockets that say anything, bytes that look random and are the same each time, and the node's
// own account of what it did about it.
import { connect, type Socket } from 'node:net';
import type { LogLine, RunningNode } from './running-node.ts';
import { until } from './until.ts';

/** A socket with everything that came on it. */
export class RawSocket {
  readonly socket: Socket;
  isClosed = false;
  #received = '';

  constructor(port: number, localAddress = '127.0.0.1') {
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => {
      if (this.#received.length < 1_000_000) this.#received += bytes.toString('latin1');
    });
    this.socket.on('error', () => {}); // 'close' follows
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** The first megabyte received, as latin1. */
  get received(): string {
    return this.#received;
  }

  write(bytes: Buffer | string): this {
    this.socket.write(bytes);
    return this;
  }

  /** Writes byte by byte, each in a packet of its own. */
  async dribble(bytes: Buffer): Promise<this> {
    for (const byte of bytes) await new Promise((sent) => this.socket.write(Buffer.of(byte), sent));
    return this;
  }

  closed(withinMs = 5_000): Promise<boolean> {
    return until('the socket is closed', () => this.isClosed, withinMs);
  }

  /** Says something more once an answer has begun, and waits for the close. */
  async closedAfter(answer: RegExp, more: string): Promise<this> {
    await this.answered(answer);
    this.write(more);
    await this.closed();
    return this;
  }

  answered(text: RegExp, withinMs = 5_000): Promise<boolean> {
    return until(`an answer like ${text}`, () => text.test(this.#received), withinMs);
  }
}

/** Bytes of a seed: always the same (xorshift32). */
export function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761 + 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

/** Follows a node's log from the place it was made at. */
export class Watch {
  readonly #node: RunningNode;
  readonly #from: number;

  constructor(node: RunningNode) {
    this.#node = node;
    this.#from = node.lines.length;
  }

  of(event: string): LogLine[] {
    return this.#node.lines.slice(this.#from).filter((line) => line.event === event);
  }

  /** Resolves with the first line of this event that has all these fields. */
  line(event: string, fields: Readonly<Record<string, unknown>> = {}, withinMs = 5_000): Promise<LogLine> {
    const wanted = Object.entries(fields);
    return until(
      `${event} ${JSON.stringify(fields)}`,
      () => this.of(event).find((line) => wanted.every(([name, value]) => line[name] === value)),
      withinMs,
    );
  }
}

/** The samples of a metric by label text (`code="rtmp.unread"`), '' without labels. */
export async function metric(node: RunningNode, name: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${node.httpPort}/metrics`);
  const samples = new Map<string, number>();
  for (const line of (await answer.text()).split('\n')) {
    const [, labels = '', value] = new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? [];
    if (value !== undefined) samples.set(labels, Number(value));
  }
  return samples;
}
