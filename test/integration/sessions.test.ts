// Sessions of a real node: who is here, who was, and who is told to go, in each protocol.
import { type ClientRequest, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpFlv } from '../../src/format/flv.ts';
import { Frame } from '../../src/format/frame.ts';
import { type QuestionArgs, questions } from '../../src/http/forms/questions.ts';
import type { SessionRow } from '../../src/http/forms/sessions.ts';
import { captureAll } from '../support/captures.ts';
import { kindOf, type PayloadName, payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const ASKER = { request: 'req-7' };
const MEDIA: readonly PayloadName[] = ['avc header', 'aac header', 'avc key', 'aac sample', 'avc delta'];

let node: RunningNode;
let rtmp: RtmpClient;
let post: ClientRequest;
/** What the POST was answered. */
let answered: string | undefined;

beforeEach(async () => {
  node = await runNode({ 'node.id': 'solo', 'watch.enabled': 'false' });
  rtmp = await RtmpClient.publishing(node.rtmpPort, 'show');
  for (const [at, name] of MEDIA.entries()) {
    rtmp.frame({ kind: kindOf(name), timestamp: at * 10, payload: payloadOf(name, at) });
  }
  answered = undefined;
  post = request(node.flvUrl('live/post'), {
    method: 'POST',
    agent: false,
    headers: { 'X-Request-Id': 'up-1' },
  });
  post.on('response', (response) => {
    let body = '';
    response.on('data', (more: Buffer) => {
      body += more;
    });
    response.on('close', () => {
      answered = `${response.statusCode} ${response.headers['x-request-id']} ${body}`;
    });
  });
  post.on('error', (error) => {
    answered ??= error.message;
  });
  const frames = MEDIA.map((name, at) => ({
    frame: new Frame(kindOf(name), 'sample', at, at * 10, payloadOf(name, at)),
    time: at * 10,
  }));
  post.write(Buffer.concat([httpFlv.open({ audio: true, video: true }), httpFlv.encode(frames, 0)]));
  await until(
    'both are on air',
    () => node.lines.filter(({ event }) => event === 'publish.start').length === 2,
  );
});

afterEach(async () => {
  rtmp.destroy();
  post.destroy();
  await node.stop();
});

function rows(args: Partial<QuestionArgs<'sessions'>> = {}): SessionRow[] {
  const { rows: listed } = node.node.answers.sessions({ limit: 100, ...args }, ASKER);
  return [...listed].map((row) => questions.sessions.row.parse(row));
}

/** Ends the one session that matches. */
function kick(match: Partial<SessionRow>): SessionRow {
  const [found, ...more] = rows({ state: 'open' }).filter((row) =>
    Object.entries(match).every(([name, value]) => row[name as keyof SessionRow] === value),
  );
  if (!found || more.length > 0) throw new Error(`${more.length} sessions match`);
  expect([...node.node.answers.kick({ id: found.id }, ASKER).rows]).toMatchObject([{ id: found.id }]);
  return found;
}

/** The events of a session, in order. */
function told(session: string): string[] {
  return node.lines.filter((line) => line.session === session).map(({ event }) => event);
}

test('lists publishers and players of each protocol, with what they sent and took', async () => {
  const plays = await captureAll(node, 'live/show');
  await until('all play', () => Object.values(plays).every(({ frames }) => frames.length === MEDIA.length));
  const open = await until('all have taken it', () => {
    const listed = rows({ state: 'open' });
    return listed.every(({ backlogBytes, state }) => backlogBytes === 0 && state === 'live') && listed;
  });
  const sent = MEDIA.reduce((sum, name, at) => sum + payloadOf(name, at).length, 0);
  expect(open.map(({ kind, protocol, stream }) => `${kind} ${protocol} ${stream}`).sort()).toEqual([
    'player http-flv live/show',
    'player rtmp live/show',
    'player ws-flv live/show',
    'publisher http-flv live/post',
    'publisher rtmp live/show',
  ]);
  for (const row of open) {
    expect(row.remote).toMatch(/^127\.0\.0\.1:\d+$/);
    if (row.kind === 'publisher') expect(row.bytes).toBe(sent);
    else expect(row.bytes).toBeGreaterThan(sent);
  }
  expect(new Set(open.map(({ id }) => id)).size).toBe(5);
  for (const { id, kind } of open) {
    expect(told(id)).toContain(kind === 'player' ? 'play.start' : 'publish.start');
  }
  plays['WS-FLV'].close();
  const [gone] = await until('it is over', () => {
    const ended = rows({ state: 'ended' });
    return ended.length > 0 && ended;
  });
  expect(gone).toMatchObject({ protocol: 'ws-flv', state: 'ended', ended: { code: 'player.left' } });
  for (const play of Object.values(plays)) play.close();
});

test('a kick ends players in the way of their protocol, and no one else', async () => {
  const plays = await captureAll(node, 'live/show');
  await until('all play', () => Object.values(plays).every(({ frames }) => frames.length === MEDIA.length));
  const kicked = [
    kick({ kind: 'player', protocol: 'ws-flv' }),
    kick({ kind: 'player', protocol: 'http-flv' }),
    kick({ kind: 'player', protocol: 'rtmp' }),
  ];
  await until('they are closed', () => Object.values(plays).every(({ ended }) => ended));
  expect(plays['WS-FLV'].ended).toEqual({ code: 1001 });
  expect(plays.RTMP).toMatchObject({
    statusCodes: expect.arrayContaining(['NetStream.Play.UnpublishNotify', 'NetStream.Play.Stop']),
  });
  for (const { id } of kicked) {
    expect(told(id)).toEqual(expect.arrayContaining(['play.start', 'session.kicked', 'play.end']));
    expect(node.lines.find(({ event, session }) => event === 'play.end' && session === id)).toMatchObject({
      reason: 'session.kicked',
    });
    expect(
      node.lines.find(({ event, session }) => event === 'session.kicked' && session === id),
    ).toMatchObject({
      request: 'req-7',
    });
  }
  expect(rows({ state: 'open' }).map(({ kind }) => kind)).toEqual(['publisher', 'publisher']);
});

test('a kick ends publishers: they are told, and their streams are held', async () => {
  const [overRtmp, overPost] = [
    kick({ kind: 'publisher', protocol: 'rtmp' }),
    kick({ kind: 'publisher', protocol: 'http-flv' }),
  ];
  await until('both are told', () => answered !== undefined && rtmp.isClosed);
  expect(await rtmp.status()).toBe('NetStream.Unpublish.Success');
  const [head, body] = [answered?.split(' ', 2).join(' '), answered?.split(' ').slice(2).join(' ') ?? ''];
  expect([head, JSON.parse(body)]).toMatchObject(['503 up-1', { code: 'session.kicked' }]);
  for (const { id } of [overRtmp, overPost]) {
    expect(told(id)).toEqual(expect.arrayContaining(['publish.start', 'session.kicked', 'publish.end']));
  }
  expect(
    node.lines.find(({ event, code }) => event === 'http.refused' && code === 'session.kicked'),
  ).toMatchObject({
    request: 'up-1',
    session: overPost.id,
  });
  expect(rows().map(({ state, ended }) => `${state} ${ended?.code}`)).toEqual([
    'ended session.kicked',
    'ended session.kicked',
  ]);
  const back = await RtmpClient.publishing(node.rtmpPort, 'show');
  expect(rows({ state: 'open' })).toMatchObject([{ kind: 'publisher', stream: 'live/show', state: 'live' }]);
  back.destroy();
});

/** A player that counts what comes behind the head of the answer. */
class RawPlayer {
  bytes = 0;
  isAnswered = false;
  readonly socket: Socket;
  #head = '';

  constructor(headers: string) {
    this.socket = connect(node.httpPort, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.socket.write(`GET /live/exact.flv HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  }

  #take(chunk: Buffer): void {
    if (this.isAnswered) {
      this.bytes += chunk.length;
      return;
    }
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return;
    this.isAnswered = true;
    this.bytes = this.#head.length - end - 4;
  }
}

test('traffic is what players received, to the byte, and what publishers sent; those that are gone included', async () => {
  const publisher = await RtmpClient.publishing(node.rtmpPort, 'exact');
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  const http = [new RawPlayer(''), new RawPlayer(''), new RawPlayer('')];
  const ws = [new RawPlayer(`${upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`)];
  const rtmpPlayers = await Promise.all([
    RtmpClient.playing(node.rtmpPort, 'exact'),
    RtmpClient.playing(node.rtmpPort, 'exact'),
  ]);
  const before = rtmpPlayers.map(({ socket }) => socket.bytesRead);
  await until('all are let in', () => rows({ stream: 'live/exact', kind: 'player' }).length === 6);

  let sent = 0;
  const send = (names: readonly PayloadName[], from: number) => {
    for (const [at, name] of names.entries()) {
      const payload = payloadOf(name, from + at, 700 + at * 37);
      sent += payload.length;
      publisher.frame({ kind: kindOf(name), timestamp: (from + at) * 20, payload });
    }
  };
  const received = (protocol: string) => {
    if (protocol === 'rtmp') {
      return rtmpPlayers.reduce((sum, { socket }, at) => sum + socket.bytesRead - (before[at] ?? 0), 0);
    }
    return (protocol === 'http-flv' ? http : ws).reduce((sum, { bytes }) => sum + bytes, 0);
  };
  const counted = () => {
    const { rows: listed } = node.node.answers.traffic({ stream: 'live/exact', limit: 100 }, ASKER);
    return [...listed].map((row) => questions.traffic.row.parse(row));
  };
  const agree = () => {
    const out = counted().filter(({ direction }) => direction === 'out');
    return (
      out.length === 3 && out.every(({ protocol, bytes }) => bytes > 0 && bytes === received(protocol)) && out
    );
  };

  send(MEDIA, 0);
  send(['avc delta', 'aac sample', 'avc delta'], 10);
  await until('all have it', () => rtmpPlayers.every(({ media }) => media.length === 8));
  await until('the counts are what was received', agree);
  http[0]?.socket.destroy();
  rtmpPlayers[0]?.destroy();
  await until('two are gone', () => rows({ stream: 'live/exact', state: 'ended' }).length === 2);
  send(['avc key', 'avc delta', 'aac sample'], 20);
  await until('the rest have it', () => rtmpPlayers[1]?.media.length === 11);
  const out = await until('the counts are what was received, still', agree);
  for (const { protocol, windowBytes, region, cost } of out) {
    expect([windowBytes, region, cost]).toEqual([received(protocol), null, 0]);
  }
  expect(counted().filter(({ direction }) => direction === 'in')).toMatchObject([
    { protocol: 'rtmp', bytes: sent },
  ]);
  const metrics = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
  const all = out.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(metrics).toContain(`tideway_stream_sent_bytes_total{stream="live/exact"} ${all}\n`);
  expect(metrics).toContain(`tideway_player_bytes_total{protocol="ws-flv"} ${received('ws-flv')}\n`);
  for (const { socket } of [...http, ...ws]) socket.destroy();
  for (const client of [publisher, ...rtmpPlayers]) client.destroy();
});
