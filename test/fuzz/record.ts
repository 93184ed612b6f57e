// Records the corpus: what ffmpeg, GStreamer and rtmpdump say to a node, what our own nodes write to each other, and what a
// Redis answers. Each file is cut to a size that mutations get far with.
//   npm run fuzz:build && node dist-fuzz/test/fuzz/record.js
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { systemClock } from '../../src/base/clock.ts';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { type Amf0Input, encode, MAX_AMF0_DEPTH } from '../../src/format/amf0.ts';
import { classify } from '../../src/format/codec.ts';
import { FlvReader } from '../../src/format/flv.ts';
import { Frame, FrameKind, type LoggedFrame } from '../../src/format/frame.ts';
import type { ControlMessage } from '../../src/format/mesh/control.ts';
import { encodeControl } from '../../src/format/mesh/control-codec.ts';
import { isMediaMessage } from '../../src/format/mesh/media-codec.ts';
import { MeshEncoder } from '../../src/format/mesh/mesh-encoder.ts';
import { ChunkReader } from '../../src/format/rtmp/chunk-reader.ts';
import { ClientHandshake } from '../../src/format/rtmp/handshake.ts';
import { MessageType } from '../../src/format/rtmp/message.ts';
import { RedisRegistry } from '../../src/registry/redis.ts';
import { connectRedis } from '../../src/registry/redis-client.ts';
import { loadScripts } from '../../src/registry/redis-scripts.ts';
import { NaiveChunker } from '../support/chunks.ts';
import { bodiesOf, RUN } from '../support/mesh-bytes.ts';
import { nodeRecord } from '../support/node-record.ts';
import { Program } from '../support/programs.ts';
import { RedisServer } from '../support/redis-server.ts';
import { runNode } from '../support/running-node.ts';
import { Sources } from '../support/sources.ts';
import { goodToken, signedQueries } from './targets/access.ts';
import { stepsOf } from './targets/hop.ts';
import { proxyHeaders } from './targets/proxied.ts';
import { HANDSHAKE_BYTES } from './targets/rtmp.ts';

const CORPUS = 'test/fuzz/corpus';
/** Of a capture of media. */
const MEDIA_BYTES = 12 * 1024;
/** A program may take so long to begin. */
const RTMP_MS = 2_500;
const FLV = ['-c', 'copy', '-f', 'flv'];
/** The fields of each answer that the scripts list rows in. */
const FIELD_LIMIT = 5 * 1024;

/** What one connection sent to the node that the tap stands before. */
interface Tapped {
  readonly sent: Buffer[];
}

/** Stands before a port, passes all on, and keeps what clients send. */
class Tap {
  readonly connections: Tapped[] = [];
  readonly #server: Server;
  #port = 0;

  private constructor(target: number) {
    this.#server = createServer((client) => this.#pass(client, target));
  }

  static async before(target: number): Promise<Tap> {
    const tap = new Tap(target);
    await new Promise<void>((resolve) => tap.#server.listen(0, '127.0.0.1', resolve));
    const address = tap.#server.address();
    tap.#port = typeof address === 'object' && address ? address.port : 0;
    return tap;
  }

  get port(): number {
    return this.#port;
  }

  close(): void {
    this.#server.close();
  }

  #pass(client: Socket, port: number): void {
    const server = connect(port, '127.0.0.1');
    const tapped: Tapped = { sent: [] };
    this.connections.push(tapped);
    client.on('data', (bytes: Buffer) => tapped.sent.push(bytes));
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
  }
}

function write(target: string, name: string, bytes: Buffer | string): void {
  mkdirSync(join(CORPUS, target), { recursive: true });
  writeFileSync(join(CORPUS, target, name), bytes);
}

/** One connection's bytes as inputs for the handshake, the chunks behind it, and the payloads in those. */
function writeRtmp(name: string, { sent }: Tapped): void {
  const bytes = Buffer.concat(sent);
  const chunks = bytes.subarray(HANDSHAKE_BYTES);
  write('rtmp-handshake', name, bytes.subarray(0, HANDSHAKE_BYTES + 40));
  write('rtmp-chunks', name, chunks.subarray(0, MEDIA_BYTES));
  let commands = 0;
  for (const { type, payload } of new ChunkReader().push(chunks)) {
    if (type === MessageType.command && payload.length < 4_096) {
      commands += 1;
      write('rtmp-commands', `${name}-${commands}`, payload);
      if (commands === 1) write('amf0', `${name}-connect`, payload);
    }
    if (type === MessageType.data) write('amf0', `${name}-metadata`, payload);
  }
}

async function recordRtmp(sources: Sources): Promise<void> {
  const node = await runNode({ 'dashboard.enabled': 'false', 'watch.enabled': 'false' });
  const tap = await Tap.before(node.rtmpPort);
  const { path } = await sources.get('audio and video');
  const url = (key: string) => `rtmp://127.0.0.1:${tap.port}/live/${key}`;
  const said = async (name: string, command: string, args: readonly string[]) => {
    await using program = new Program(command, args);
    await delay(RTMP_MS);
    await program.interrupt();
    writeRtmp(name, tap.connections.at(-1) ?? { sent: [] });
  };
  const publish = new Program('ffmpeg', [
    '-v',
    'error',
    '-re',
    '-stream_loop',
    '9',
    '-i',
    path,
    ...FLV,
    url('ffmpeg'),
  ]);
  await delay(RTMP_MS);
  const published = tap.connections[0] ?? { sent: [] };
  await said('rtmpdump-play', 'rtmpdump', ['-q', '-v', '-r', url('ffmpeg'), '-o', '/dev/null']);
  await said('ffmpeg-play', 'ffmpeg', ['-v', 'error', '-i', url('ffmpeg'), '-c', 'copy', '-f', 'null', '-']);
  await publish.interrupt();
  writeRtmp('ffmpeg-publish', published);
  for (const sink of ['rtmpsink', 'rtmp2sink']) {
    const tone = ['audiotestsrc', 'num-buffers=60', '!', 'audioconvert', '!', 'audioresample', '!'];
    const coded = [
      'audio/x-raw,rate=44100,channels=2',
      '!',
      'voaacenc',
      '!',
      'flvmux',
      'streamable=true',
      '!',
    ];
    await new Program('gst-launch-1.0', ['-q', ...tone, ...coded, sink, `location=${url(sink)}`]).done;
    writeRtmp(`gstreamer-${sink}`, tap.connections.at(-1) ?? { sent: [] });
  }
  const digest = new ClientHandshake(randomBytes, 'digest').start();
  write('rtmp-handshake', 'obs-like-digest', Buffer.concat([digest, randomBytes(1536), Buffer.alloc(20, 2)]));
  tap.close();
  await node.stop();
}

async function recordMedia(sources: Sources): Promise<Frame[]> {
  const file = readFileSync((await sources.get('audio and video')).path);
  write('flv', 'ffmpeg-h264-aac', file.subarray(0, MEDIA_BYTES));
  const frames: Frame[] = [];
  for (const { kind, timestamp, payload } of new FlvReader().push(file)) {
    const role = classify(kind, payload);
    frames.push(new Frame(kind, role, frames.length + 1, timestamp, payload));
  }
  const codecs: Readonly<Record<string, readonly string[]>> = {
    hevc: ['-c:v', 'libx265', '-x265-params', 'log-level=none'],
    av1: ['-c:v', 'libaom-av1', '-cpu-used', '8'],
    vp9: ['-c:v', 'libvpx-vp9', '-deadline', 'realtime'],
  };
  const kinds = { 9: 0, 8: 1, 18: 2 } as const;
  const written = new Set<string>();
  const take = (source: string, bytes: Buffer) => {
    for (const { kind, payload } of new FlvReader().push(bytes)) {
      const name = `${source}-${kind}-${classify(kind, payload)}`;
      if (written.has(name)) continue;
      written.add(name);
      write('codec', name, Buffer.concat([Buffer.of(kinds[kind]), payload.subarray(0, 400)]));
    }
  };
  take('h264-aac', file);
  for (const [codec, how] of Object.entries(codecs)) {
    const path = join(sources.folder, `${codec}.flv`);
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-frames:v', '5'];
    const made = await new Program('ffmpeg', ['-v', 'error', ...picture, ...how, '-f', 'flv', path]).done;
    if (made.code !== 0) continue;
    take(codec, readFileSync(path));
    write('flv', `ffmpeg-${codec}`, readFileSync(path).subarray(0, MEDIA_BYTES));
  }
  let nested: Amf0Input = 'innermost';
  for (let depth = 1; depth < MAX_AMF0_DEPTH; depth += 1) nested = depth % 2 === 0 ? [nested] : { a: nested };
  write('amf0', 'deepest', encode(nested));
  write(
    'amf0',
    'all-types',
    encode('a', 1, { b: [true, null, undefined, new Date(0)], c: { d: 'e' } }, ['f', 2]),
  );
  return frames;
}

/** A stream that has run for hours: extended timestamps, which some encoders repeat on each chunk and some do not. */
function recordLateChunks(frames: readonly Frame[]): void {
  for (const repeatExtended of [true, false]) {
    const chunker = new NaiveChunker({ chunkBytes: 128, compress: true, repeatExtended });
    const messages = frames.slice(0, 12).map(({ kind, dts, payload }) => ({
      ...{
        chunkStreamId: kind === FrameKind.audio ? 4 : 6,
        type: kind,
        timestamp: 0x1000000 + dts,
        streamId: 1,
      },
      payload: payload.subarray(0, 300),
    }));
    const name = repeatExtended ? 'extended-repeated' : 'extended-once';
    write('rtmp-chunks', name, Buffer.concat(messages.flatMap((message) => chunker.chunks(message))));
  }
}

/** Every kind of control message, and media, as nodes write them. */
function recordMesh(frames: readonly Frame[]): void {
  const [hex64, node, path] = ['ab'.repeat(32), 'node-2', ['node-1', 'node-2']];
  const messages: readonly ControlMessage[] = [
    { is: 'hello', node, boot: '0123456789abcdef', version: '0.1.0', nonce: hex64 },
    { is: 'proof', mac: hex64 },
    {
      is: 'sub',
      id: 7,
      key: 'live/demo',
      resume: { epoch: 2 ** 52, from: 91 },
      insist: false,
      patient: true,
    },
    { is: 'ok', id: 7, ref: 3, epoch: 2 ** 52, head: 90, oldest: 12, path, state: 'live', msLeft: 0 },
    { is: 'no', id: 7, why: 'busy', epoch: 0, alternatives: ['node-3'] },
    { is: 'unsub', ref: 3, id: 7 },
    { is: 'gone', ref: 3, id: 7 },
    { is: 'epoch', ref: 3, epochRef: 0, epoch: 2 ** 52, from: 91, firstDts: 3_640, newestDts: 3_680 },
    { is: 'skip', ref: 3, epochRef: 0, from: 92, to: 95 },
    { is: 'path', ref: 3, path },
    { is: 'state', ref: 3, at: 'held', msLeft: 9_000, why: { code: 'publish.lost', message: 'gone' } },
    { is: 'origin', key: 'live/demo', epoch: 2 ** 52 },
    { is: 'fenced', key: 'live/demo', epoch: 2 ** 52 },
    { is: 'head', id: 8, key: 'live/demo' },
    { is: 'headed', id: 8, epoch: 2 ** 52, seq: 95, live: true, path },
    { is: 'goaway', deadlineMs: 30_000, only: 'relayed' },
    { is: 'preload', key: 'live/demo', ttlMs: 60_000 },
    { is: 'query', id: 9, kind: 'streams', args: '{"limit":10}', request: 'r-1' },
    { is: 'reply', id: 9, total: 1, rows: '[{"key":"live/demo"}]', last: true },
    { is: 'noreply', id: 9, why: { code: 'cluster.busy', message: 'later' } },
    { is: 'got', bytes: 123_456 },
    {
      ...{ is: 'beat', at: 12_345.5, echo: { at: 12_000, heldMs: 3.25 }, registryWallMs: 1.8e12 },
      ...{ heads: [[3, 0, 95]], cameAt: [12_340] },
    },
  ];
  for (const message of messages) write('mesh-control', message.is, encodeControl(message));
  const encoder = new MeshEncoder(3);
  const small = frames.filter(({ payload }) => payload.length < 2_000).slice(0, 60);
  const logged: LoggedFrame[] = small.map((frame, at) => ({
    ...{ frame, time: frame.dts, run: RUN, opens: at === 2, isSetUp: at < 2, afterSeq: frame.seq - 1 },
  }));
  const bodies = bodiesOf(encoder.encode(logged)).filter(isMediaMessage);
  bodies.forEach((body, at) => {
    if (body.length < 20_000) write('mesh-media', `${at === 0 ? 'set-up' : 'media'}-${at}`, body);
  });
  recordHop(logged.slice(0, 24));
  const few = logged.slice(0, 6);
  for (const body of bodiesOf(new MeshEncoder(9).encode(few)).filter(isMediaMessage)) {
    write('mesh-media', `few-${body.length}`, body);
  }
  write('ws-frames', 'media', bodies.at(-1)?.subarray(0, 6_000) ?? Buffer.alloc(0));
}

/** Two upstreams that overlap: the former one goes on while the current one begins some frames ahead, or anew. */
function recordHop(logged: readonly LoggedFrame[]): void {
  const RUNS = [RUN, { ...RUN, from: RUN.from + 4 }, { ...RUN, epoch: RUN.epoch + 1, from: 1 }];
  const bodies = RUNS.map((run, which) => {
    const encoder = new MeshEncoder(3);
    const entries = logged.map((entry, at) => {
      const { kind, role, dts, payload } = entry.frame;
      const seq = at < 2 ? at + 1 : run.from + at - 2;
      const frame = new Frame(kind, role, seq, dts, payload.subarray(0, 40));
      return { ...entry, run, frame, afterSeq: seq - 1 - (which === 1 && at === 8 ? 2 : 0) };
    });
    return entries.flatMap((entry) => bodiesOf(encoder.encode([entry])));
  });
  const [first = [], ahead = [], anew = []] = bodies;
  const steps = (does: number, from: readonly Buffer[]) => from.map((body) => ({ does, body }));
  const behind = first.flatMap((body) => [...steps(5, [body]), { does: 4, body }]);
  const overlapping = ahead.flatMap((body, at) => [
    { does: 4, body },
    ...steps(5, first.slice(8 + at, 9 + at)),
  ]);
  write('mesh-hop', 'one-upstream', stepsOf(steps(0, first)));
  write('mesh-hop', 'overlap', stepsOf([...steps(0, first.slice(0, 8)), ...overlapping]));
  write('mesh-hop', 'twice', stepsOf([...steps(0, first.slice(0, 8)), ...behind]));
  write('mesh-hop', 'new-epoch', stepsOf([...steps(0, first.slice(0, 12)), ...steps(2, anew)]));
}

/** What the scripts answer, as rows of fields. */
async function recordRegistry(): Promise<void> {
  await using redis = await RedisServer.start();
  const client = connectRedis({ place: { is: 'socket', path: redis.path } }) as Redis;
  const answers: unknown[] = [];
  const send = client.sendCommand.bind(client);
  client.sendCommand = (...sent: Parameters<typeof send>) => {
    void Promise.resolve(sent[0].promise).then(
      (answer) => answers.push(answer),
      () => {},
    );
    return send(...sent);
  };
  const registry = new RedisRegistry(
    { prefix: 'tw:' },
    { clock: systemClock, scripts: await loadScripts(), connect: () => client },
  );
  await registry.whenConnected;
  const owner = { node: 'node-1', boot: '0123456789abcdef' };
  const key = parseStreamKey('live', 'demo');
  const claim = { key, owner, publisher: 'p-1', reason: 'publish' } as const;
  const record = nodeRecord('node-1', { region: 'eu', zone: 'a', tags: ['gpu'], rttMs: { us: 80 } });
  await registry.beat({ ...record, rtmp: '10.0.0.1:1935', http: '[2001:db8::1]:8080' });
  await registry.beat(nodeRecord('node-2', { boot: 'fedcba9876543210', draining: true }));
  const granted = await registry.claim({ ...claim, mode: 'takeover', minEpoch: 0, tag: 5 });
  const epoch = granted.is === 'granted' ? granted.epoch : 0;
  const other = { node: 'node-2', boot: 'fedcba9876543210' };
  await registry.putReplica(key, { ...other, epoch, hops: 1, upstream: 'node-1' });
  await registry.putBackup(key, { ...other, publisher: 'p-2' });
  await registry.lookup(key);
  await registry.close();
  const rows = answers.flatMap((answer) => rowsIn(answer));
  rows.forEach((row, at) => {
    const text = row.map(String).join('\n');
    if (row.length > 1 && text.length < FIELD_LIMIT) write('registry-records', `answer-${at}`, text);
  });
  write('registry-records', 'hint', `claimed ${epoch} node-1 live/demo`);
  write('registry-records', 'node', `node-1\n${JSON.stringify(record)}`);
}

/** The lists in an answer: itself, and those in it. */
function rowsIn(answer: unknown): unknown[][] {
  if (!Array.isArray(answer)) return [];
  return [answer.filter((field) => !Array.isArray(field)), ...answer.flatMap(rowsIn)];
}

function recordHttp(): void {
  const targets = [
    '/live/demo.flv?token=abc&tw_hop=1&tw_session=abcdefghijkl',
    '/live/caf%C3%A9.flv',
    '/api/v1/streams/live/demo/preload?x=1',
    '/api/v1/sessions/abcdefghijkl',
    '/watch/../api/v1/status',
  ];
  targets.forEach((target, at) => {
    write('http-targets', `target-${at + 1}`, target);
  });
  const queries = [
    'q=demo&state=live&node=n1&sort=players&order=desc&offset=10&limit=100&history=1',
    'stream=live/demo&node=n1&kind=player&state=ended&limit=5',
    'stream=live%2Fdemo&protocol=ws-flv&region=eu&zone=a&network=internal&session=me',
    'topics=alarms,nodes&stream=live/demo',
    'by=protocol&limit=1000&scope=cluster',
  ];
  queries.forEach((query, at) => {
    write('http-queries', `query-${at + 1}`, query);
  });
  const bodies = [
    '{"nodes":["n1","n2"],"ttlSeconds":60}',
    '{"regions":["eu","us"],"copies":2,"ttlSeconds":86400}',
    '{"deadlineSeconds":30.5}',
    '',
  ];
  bodies.forEach((body, at) => {
    write('http-bodies', `body-${at + 1}`, body);
  });
  ['live/demo', 'a.b-c_d/x.1', `${'a'.repeat(64)}/${'b'.repeat(64)}`, 'live/show.flv'].forEach((key, at) => {
    write('stream-keys', `key-${at + 1}`, key);
  });
}

function recordAccess(): void {
  signedQueries.forEach((query, at) => {
    write('signed-urls', `signed-${at + 1}`, query);
  });
  write('tokens', 'token', goodToken);
  write('tokens', 'claims', '{"aud":["tideway"],"exp":1800000060,"nbf":1799999990,"play":["live/*","a/b"]}');
  for (const network of ['192.0.2.0/24', '2001:db8::/32', '10.0.0.1', '0.0.0.0/0']) {
    const name = network.replace(/[/:]/g, '_');
    write('networks', name, `${network}\n::ffff:192.0.2.7`);
  }
  proxyHeaders.forEach((header, at) => {
    write('proxy-header', `header-${at + 1}`, Buffer.concat([header, Buffer.from('GET / HTTP/1.1')]));
  });
  write('forwarded', 'list', '203.0.113.9, 10.1.2.3, [fd00::1]:443, 10.0.0.2:8080');
  write(
    'forwarded',
    'elements',
    'for=203.0.113.9;proto=https;by=10.0.0.1, for="[2001:db8::1]:80", for=unknown',
  );
}

const sources = new Sources();
recordAccess();
recordHttp();
const frames = await recordMedia(sources);
recordLateChunks(frames);
recordMesh(frames);
await recordRegistry();
await recordRtmp(sources);
sources[Symbol.dispose]();
