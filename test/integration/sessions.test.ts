// Sessions of a real node: who is here, who was, and who is told to go, in each protocol.
import { type ClientRequest, request } from 'node:http';
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
