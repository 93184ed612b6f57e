// Publishes streams over RTMP, frame by frame at the times of their plan, as ffmpeg does. Forked; obeys PublisherOrder
// and answers PublisherReport. It drops no frame: what is late is sent late, and said so.
import { OUT_CHUNK_BYTES } from '../../src/format/rtmp/chunk-writer.ts';
import { setChunkSize } from '../../src/format/rtmp/message.ts';
import { RtmpClient } from '../../test/support/rtmp-client.ts';
import { FrameWriter, messageOf } from './frame-writer.ts';
import { GOP_MS, MediaPlan, PlanWalk } from './media-plan.ts';
import { nowUs } from './now.ts';
import type { PublisherOrder, PublisherReport } from './orders.ts';
import { serveOrders } from './serve.ts';

/** So many connect at the same time. */
const CONNECTING_AT_ONCE = 20;
/** After so long, a connection that was ended cleanly is destroyed. */
const END_MS = 500;

/** One stream on air. */
class OutStream {
  readonly name: string;
  readonly client: RtmpClient;
  readonly walk: PlanWalk;
  /** Of its first frame. */
  startUs = 0;
  /** Of the frame at which the walk stands. */
  dueUs = 0;

  constructor(name: string, client: RtmpClient, plan: MediaPlan) {
    this.name = name;
    this.client = client;
    this.walk = new PlanWalk(plan);
  }
}

/** What was sent since the last report. */
class Tally {
  payloadBytes = 0;
  latestUs = 0;
  backlogBytes = 0;
  readonly cpu = process.cpuUsage();
}

class Publisher {
  #plan = new MediaPlan(1);
  #writer = new FrameWriter(this.#plan);
  /** On air, the one whose frame is due next at the end. */
  #streams: OutStream[] = [];
  #lost = 0;
  #timer: NodeJS.Timeout | undefined;
  #tally = new Tally();

  async obey(order: PublisherOrder): Promise<Omit<PublisherReport, 'id'>> {
    switch (order.do) {
      case 'publish':
        await this.#publish(order.url, order.streams, order.mbps);
        return this.#report();
      case 'measure':
        return this.#report();
      case 'stop':
        await this.#stop();
        return this.#report();
    }
  }

  async #publish(url: string, count: number, mbps: number): Promise<void> {
    if (this.#streams.length > 0) throw new Error('streams are on air already');
    this.#plan = new MediaPlan(mbps);
    this.#writer = new FrameWriter(this.#plan);
    const opened: OutStream[] = [];
    let next = 0;
    const openSome = async () => {
      for (let index = next++; index < count; index = next++) {
        opened.push(await this.#open(url, `s${index}`));
      }
    };
    try {
      await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, openSome));
    } catch (error) {
      next = count;
      for (const { client } of opened) client.destroy();
      throw error;
    }
    // Staggered over a group of pictures, so that their key frames don't come all at once.
    const startUs = nowUs();
    for (const [index, stream] of opened.entries()) {
      stream.startUs = startUs + (GOP_MS * 1000 * index) / count;
      stream.dueUs = stream.startUs;
    }
    this.#lost = 0;
    this.#tally = new Tally();
    this.#streams = opened.sort((one, other) => other.dueUs - one.dueUs);
    this.#sendDue();
    const lastStartMs = count > 1 ? GOP_MS : 0;
    await new Promise((resolve) => setTimeout(resolve, lastStartMs + 50));
  }

  async #open(url: string, name: string): Promise<OutStream> {
    const { hostname, port, pathname } = new URL(url);
    const app = pathname.slice(1);
    const client = await RtmpClient.open({ port: Number(port || 1935), host: hostname });
    await client.shakeHands();
    await client.connect(app, { tcUrl: url });
    const code = await client.publish(name);
    if (code !== 'NetStream.Publish.Start')
      throw new Error(`${url}/${name}: publish was answered by ${code}`);
    client.send(setChunkSize(OUT_CHUNK_BYTES));
    for (const each of this.#plan.setUp()) client.raw(messageOf(each));
    // Acknowledgements, from now on, which nobody needs.
    client.socket.removeAllListeners('data').on('data', () => {});
    const stream = new OutStream(name, client, this.#plan);
    client.socket.on('close', () => this.#closed(stream));
    return stream;
  }

  #closed(stream: OutStream): void {
    const at = this.#streams.indexOf(stream);
    if (at < 0) return;
    this.#streams.splice(at, 1);
    this.#lost += 1;
  }

  #sendDue(): void {
    const streams = this.#streams;
    const tally = this.#tally;
    while (true) {
      const stream = streams.at(-1);
      if (!stream) return;
      const lateUs = nowUs() - stream.dueUs;
      if (lateUs < 0) {
        // The timer's grain is 1 ms, and rounding down keeps the lateness below it.
        this.#timer = setTimeout(() => this.#sendDue(), Math.floor(-lateUs / 1000));
        return;
      }
      if (lateUs > tally.latestUs) tally.latestUs = lateUs;
      this.#send(stream);
      streams.pop();
      this.#insert(stream);
    }
  }

  #send({ client: { socket }, walk }: OutStream): void {
    const tally = this.#tally;
    this.#writer.write(socket, walk);
    tally.payloadBytes += walk.bytes;
    if (socket.writableLength > tally.backlogBytes) tally.backlogBytes = socket.writableLength;
  }

  /** Sets a stream to its next frame, and in its place among the others. */
  #insert(stream: OutStream): void {
    stream.walk.next();
    stream.dueUs = stream.startUs + stream.walk.dueMs * 1000;
    let low = 0;
    let high = this.#streams.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#streams[middle]?.dueUs ?? 0) > stream.dueUs) low = middle + 1;
      else high = middle;
    }
    this.#streams.splice(low, 0, stream);
  }

  #report(): Omit<PublisherReport, 'id'> {
    const { payloadBytes, latestUs, backlogBytes, cpu } = this.#tally;
    const { user, system } = process.cpuUsage(cpu);
    this.#tally = new Tally();
    return {
      streams: this.#streams.length,
      lost: this.#lost,
      payloadBytes,
      latestMs: latestUs / 1000,
      backlogBytes,
      cpuMs: (user + system) / 1000,
    };
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#timer);
    const ending = this.#streams;
    this.#streams = [];
    await Promise.all(ending.map(endCleanly));
  }
}

async function endCleanly({ name, client }: OutStream): Promise<void> {
  const { socket } = client;
  if (socket.destroyed) return;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  client.call('FCUnpublish', 0, null, name);
  client.call('deleteStream', 0, null, 1);
  socket.end();
  const timer = setTimeout(() => socket.destroy(), END_MS);
  await closed;
  clearTimeout(timer);
}

const publisher = new Publisher();
serveOrders<PublisherOrder>((order) => publisher.obey(order));
