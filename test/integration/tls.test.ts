// Every door of a real node over TLS, and a certificate that changes while media go on.
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/base/clock.ts';
import { FrameKind } from '../../src/format/frame.ts';
import { MeshEncoder } from '../../src/format/mesh/mesh-encoder.ts';
import { healthRoutes } from '../../src/http/api.ts';
import { HttpServer } from '../../src/http/server.ts';
import type { MeshTls } from '../../src/mesh/channel.ts';
import { SUBPROTOCOL } from '../../src/mesh/handshake.ts';
import { CertificateFiles } from '../../src/node/certificate-files.ts';
import { captureRtmpOf } from '../support/captures.ts';
import { Authority, type MadeCertificate, overwrite } from '../support/certificates.ts';
import { captureHttpFlv, captureWsFlv, seen } from '../support/frames.ts';
import { RawSocket } from '../support/hostile.ts';
import { FakeLog } from '../support/media.ts';
import { loggedFrame } from '../support/mesh-bytes.ts';
import { HandPeer, LinkWitness, MeshNode } from '../support/mesh-node.ts';
import { proxyHeader, tcp4Header } from '../support/proxy-headers.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const AVC_HEADER = Buffer.from([0x17, 0, 0, 0, 0, 1, 2, 3]);

let authority: Authority;
let first: MadeCertificate;
let second: MadeCertificate;
let place: MadeCertificate;
let node: RunningNode;
let publisher: RtmpClient;
/** Payloads in the order in which they were published. */
const sent: string[] = [];
let time = 0;

beforeAll(async () => {
  authority = await Authority.make();
  [first, second] = await Promise.all([authority.sign('first'), authority.sign('second')]);
  place = await authority.copy(first, 'place');
  node = await runNode({
    ...{ 'https.port': '0', 'rtmps.port': '0', 'rtmp.handshakeMs': '400', 'play.waitMs': '0' },
    'rtmp.maxConnectionsPerAddress': '20',
    ...{ 'tls.cert': place.cert, 'tls.key': place.key },
  });
  publisher = await RtmpClient.openSecure(ports().rtmpsPort, authority.text);
  await publisher.shakeHands();
  await publisher.connect('live');
  expect(await publisher.publish('show')).toBe('NetStream.Publish.Start');
  publish(AVC_HEADER);
  publishSome(3);
});

afterAll(async () => {
  publisher?.destroy();
  await node?.stop();
});

function ports() {
  return node.node.addresses;
}

function publish(payload: Buffer): void {
  publisher.frame({ kind: FrameKind.video, timestamp: time, payload });
  sent.push(seen({ kind: FrameKind.video, timestamp: time, payload }).hash);
  time += 20;
}

/** Groups of a key frame and three others, some of them big enough to come in many records. */
function publishSome(groups: number): void {
  for (let at = 0; at < groups * 4; at += 1) {
    const payload = Buffer.alloc(at % 4 === 0 ? 90_000 : 700, sent.length);
    payload.set([at % 4 === 0 ? 0x17 : 0x27, 1, 0, 0, 0]);
    payload.writeUInt32BE(sent.length, 5);
    publish(payload);
  }
}

function playAll() {
  const { httpsPort } = ports();
  const ca = { ca: authority.text };
  return {
    flv: captureHttpFlv(`https://127.0.0.1:${httpsPort}/live/show.flv`, ca),
    ws: captureWsFlv(`wss://127.0.0.1:${httpsPort}/live/show.flv`, ca),
  };
}

async function rtmpsPlayer() {
  const client = await RtmpClient.openSecure(ports().rtmpsPort, authority.text);
  await client.shakeHands();
  await client.connect('live');
  expect(await client.play('show')).toBe('NetStream.Play.Start');
  return captureRtmpOf(client);
}

/** The certificate that a port shows. */
function shownBy(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca: authority.text }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** All that a port answers to some bytes, once it has closed. */
function answerTo(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    socket.on('data', (more) => {
      said += more.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(said));
  });
}

/** The first line of what a health check is answered. */
function answerOverTls(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.text }, () => {
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
    let said = '';
    socket.on('data', (bytes) => {
      said += String(bytes);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(said.split('\r\n')[0] ?? ''));
  });
}

function hashesOf(frames: readonly { readonly hash: string }[]): string[] {
  return frames.map(({ hash }) => hash);
}

async function refusals(door: string, code: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${node.httpPort}/metrics`);
  const line = (await response.text())
    .split('\n')
    .find((each) => each.startsWith(`tideway_${door}_refusals_total`) && each.includes(`"${code}"`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('a certificate that is swapped under load', () => {
  test('bytes in are bytes out at each door, no connection is dropped, and new ones see the new one', async () => {
    const [{ flv, ws }, rtmp] = [playAll(), await rtmpsPlayer()];
    const players = [flv, ws, rtmp];
    await until('all play', () => players.every(({ frames }) => frames.length > 0));
    expect(await shownBy(ports().httpsPort)).toBe(first.fingerprint);
    publishSome(10);
    await overwrite(place, second);
    const reloading = node.node.reloadCertificates();
    publishSome(10);
    await reloading;
    publishSome(10);
    const all = players.map(({ frames }) => frames);
    await until('all came', () => all.every((frames) => frames.at(-1)?.hash === sent.at(-1)));
    for (const frames of all) {
      const hashes = hashesOf(frames).filter((hash) => sent.includes(hash));
      expect(hashes).toEqual([sent[0], ...sent.slice(sent.length - hashes.length + 1)]);
      expect(hashes.length).toBeGreaterThanOrEqual(120);
    }
    expect(players.map(({ ended }) => ended)).toEqual([undefined, undefined, undefined]);
    expect(await shownBy(ports().httpsPort)).toBe(second.fingerprint);
    expect(await shownBy(ports().rtmpsPort)).toBe(second.fingerprint);
    const late = playAll();
    await until('new players play', () => late.flv.frames.length > 1 && late.ws.frames.length > 1);
    for (const player of [...players, late.flv, late.ws]) player.close();
    expect(node.lines.filter(({ event }) => event === 'tls.reloaded')).toHaveLength(1);
  });

  test('a broken pair leaves the old one in use', async () => {
    await overwrite(place, { ...first, key: second.key });
    await node.node.reloadCertificates();
    expect(await shownBy(ports().httpsPort)).toBe(second.fingerprint);
    const failed = node.lines.find(({ event }) => event === 'tls.reload-failed');
    expect(failed).toMatchObject({ code: 'tls.key-mismatch' });
    const text = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
    expect(text).toMatch(/^tideway_certificate_reload_failures_total\{certificate="tls"\} 1$/m);
    expect(text).toMatch(/^tideway_certificate_reloads_total\{certificate="tls"\} 1$/m);
    expect(text).toMatch(/^tideway_certificate_expiry_seconds\{certificate="tls"\} 2[45]\d{5}$/m);
  });
});

describe('at a port for TLS', () => {
  test('plain HTTP and plain RTMP are refused, and harm nobody', async () => {
    expect(await answerTo(ports().httpsPort, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')).not.toContain(
      '200',
    );
    await answerTo(ports().rtmpsPort, Buffer.concat([Buffer.from([3]), Buffer.alloc(1536)]));
    expect(await refusals('http', 'tls.handshake')).toBe(1);
    expect(await refusals('rtmp', 'tls.handshake')).toBe(1);
    expect(await shownBy(ports().httpsPort)).toBe(second.fingerprint);
    expect(publisher.isClosed).toBe(false);
  });

  test('TLS 1.1 is not spoken', async () => {
    const old = new Promise((resolve, reject) => {
      const socket = connect(
        {
          ...{ port: ports().httpsPort, host: '127.0.0.1', ca: authority.text },
          ...{ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
        },
        () => resolve(socket.getProtocol()),
      );
      socket.on('error', reject);
    });
    await expect(old).rejects.toThrow();
  });

  test('a handshake that never ends is closed, also one of which a byte comes now and then', async () => {
    const before = await refusals('rtmp', 'tls.handshake-timeout');
    const socket = connectTcp({ port: ports().rtmpsPort, host: '127.0.0.1' });
    socket.on('error', () => {});
    // The head of a ClientHello of 512 bytes, and then its body, slowly.
    socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    const drip = setInterval(() => socket.write(Buffer.alloc(1)), 50);
    const startedMs = performance.now();
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(drip);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(await refusals('rtmp', 'tls.handshake-timeout')).toBe(before + 1);
  });

  test('who shakes hands counts among the connections of an address, in all, and as one new one', async () => {
    const asked: string[] = [];
    // With the spare places there are 68.
    const limits = { maxConnections: 4, maxConnectionsPerAddress: 2 };
    const refusals: string[] = [];
    const server = new HttpServer(
      {
        ...{ host: '127.0.0.1', port: 0, ...limits },
        secure: {
          port: 0,
          certificate: new CertificateFiles(second, { clock: systemClock, log: new FakeLog(), name: 'tls' }),
        },
      },
      {
        ...{ clock: systemClock, log: new FakeLog(), upgrades: [] },
        counters: { refused: (code) => refusals.push(code), wireError() {} },
        arrivals: { lacksFiles: () => false, refusal: (address) => void asked.push(address) },
        routes: healthRoutes({
          ...{ notReady: () => undefined, trouble: () => undefined },
          metricsText: () => Promise.resolve(''),
        }),
      },
    );
    await server.start();
    const from = (address: string) => new RawSocket(server.securePort, address);
    const silent = [from('127.0.0.21'), from('127.0.0.21')];
    await until('they shake hands', () => server.sockets === 2);
    const third = from('127.0.0.21');
    await third.closed();
    expect([third.received, refusals, server.connections]).toEqual(['', ['http.too-many-from-address'], 0]);
    // In all there are so many; then the one that shakes hands for longest makes room, with TLS and without.
    silent.push(from('127.0.0.22'));
    const answer = await answerOverTls(server.securePort);
    expect([answer, asked.length]).toEqual(['HTTP/1.1 200 OK', 4]);
    await until('it has gone', () => server.sockets === 3);
    for (let at = 0; at < 65; at += 1) silent.push(from(`127.0.1.${at + 1}`));
    await until('it is full', () => server.sockets === 68);
    expect(server.droppedConnections).toBe(1);
    expect(await answerOverTls(server.securePort)).toBe('HTTP/1.1 200 OK');
    await until('it is full again', () => server.sockets === 67);
    const plain = [from('127.0.0.26'), new RawSocket(server.port, '127.0.0.27')];
    await plain[1]?.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n').answered(/200 OK/);
    silent.push(...plain);
    expect(silent.map(({ isClosed }) => isClosed).indexOf(false)).toBe(2);
    expect([server.sockets, server.droppedConnections, refusals.slice(1)]).toEqual([
      ...[68, 3, ['http.too-many-connections', 'http.too-many-connections']],
    ]);
    await server.stop(0);
    await until('all are closed', () => silent.every(({ isClosed }) => isClosed));
  });

  test('the same holds for RTMP: an address has its place again once a handshake is given up', async () => {
    const codes = ['rtmp.too-many-from-address', 'tls.handshake-timeout'];
    const counts = () => Promise.all(codes.map((code) => refusals('rtmp', code)));
    const [tooMany = 0, late = 0] = await counts();
    const from = '127.0.0.25';
    const silent = Array.from({ length: 23 }, () => new RawSocket(ports().rtmpsPort, from));
    await until('all are closed', () => silent.every(({ isClosed }) => isClosed));
    expect(await counts()).toEqual([tooMany + 3, late + 20]);
    const { rtmpsPort: port } = ports();
    const socket = connectTcp({ port, host: '127.0.0.1', localAddress: from });
    const open = connect({ socket, host: '127.0.0.1', ca: authority.text });
    await new Promise((resolve, reject) => open.once('secureConnect', resolve).once('error', reject));
    open.destroy();
  });

  test('one that is over and says nothing more is closed after the limit of RTMP', async () => {
    const client = await RtmpClient.openSecure(ports().rtmpsPort, authority.text);
    expect(await client.closed()).toBeLessThan(2_000);
  });

  test('bytes behind a request for media end the player, as without TLS', async () => {
    const socket = connect({ port: ports().httpsPort, host: '127.0.0.1', ca: authority.text });
    let heard = 0;
    socket.on('data', (bytes) => {
      heard += bytes.length;
    });
    socket.on('error', () => {});
    socket.write('GET /live/show.flv HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('it plays', () => heard > 1000);
    socket.write('x');
    await new Promise((resolve) => socket.once('close', resolve));
  });
});

test('a player over TLS that reads nothing holds up nobody', async () => {
  const socket = connect({ port: ports().httpsPort, host: '127.0.0.1', ca: authority.text });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  socket.on('error', () => {});
  socket.write('GET /live/show.flv HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.pause();
  const { ws } = playAll();
  await until('one plays', () => ws.frames.length > 0);
  for (let at = 0; at < 8; at += 1) publishSome(10);
  await until('it has all', () => ws.frames.at(-1)?.hash === sent.at(-1));
  socket.destroy();
  ws.close();
});

describe('between nodes', () => {
  const meshNodes: MeshNode[] = [];
  let other: Authority;

  beforeAll(async () => {
    other = await Authority.make();
  });

  afterEach(async () => {
    await Promise.all(meshNodes.splice(0).map(({ links }) => links.stop()));
  });

  async function files(name: string, by = authority, trusts = authority): Promise<CertificateFiles> {
    const made = await by.sign(`${name}-${by.folder.slice(-4)}`, { names: [`DNS:${name}`] });
    const silent = { debug() {}, info() {}, warn() {}, error() {} };
    return new CertificateFiles(
      { ...(await by.copy(made, `mesh-${name}`)), ca: trusts.cert },
      { clock: systemClock, log: silent, name: 'mesh.tls' },
    );
  }

  async function startedMesh(node: string, tls: Partial<MeshTls> = {}): Promise<MeshNode> {
    const certificate = tls.certificate ?? (await files(node));
    const started = await MeshNode.start(node, { tls: { names: 'any', ...tls, certificate } });
    meshNodes.push(started);
    return started;
  }

  test('links are TLS, carry messages and pre-framed media both ways, and outlive a new certificate', async () => {
    const certificate = await files('b');
    const [a, b] = [await startedMesh('a'), await startedMesh('b', { certificate })];
    a.links.setNodes([b.record]);
    const toB = await a.linked('b');
    const toA = await b.linked('a');
    const witness = new LinkWitness(a, b);
    // Key frames of these sizes come in many TLS records.
    const batch = [loggedFrame('avc key', 10, 100, 300_000), loggedFrame('avc delta', 11, 140, 90_000)];
    const media = new MeshEncoder(7).encode(batch);
    toB.write(media);
    toA.write(media);
    const payloads = (node: MeshNode) =>
      node.told.flatMap((told) =>
        told.is === 'media' ? told.media.frames.map(({ payload }) => payload) : [],
      );
    await until('media came both ways', () => payloads(a).length === 2 && payloads(b).length === 2);
    for (const node of [a, b]) {
      expect(payloads(node).every((payload, at) => batch[at]?.frame.payload.equals(payload))).toBe(true);
    }
    expect(await shownBy(b.links.port)).toBe(certificate.fingerprint);

    const renewed = await authority.sign('b-renewed');
    const made = { cert: `${authority.folder}/mesh-b.pem`, key: `${authority.folder}/mesh-b.key` };
    await overwrite({ ...made, fingerprint: '' }, renewed);
    await certificate.reload();
    expect(await shownBy(b.links.port)).toBe(renewed.fingerprint);
    await until('beats went on', () => toB.quality && toA.quality);
    await witness.undisturbed();
    witness.stop();
    expect([a.closed, b.closed]).toEqual([[], []]);
    const c = await startedMesh('c');
    c.links.setNodes([b.record]);
    expect((await c.links.dial('b')).isOpen).toBe(true);
  });

  test('a node of another authority gets no link, whichever of the two dials, and harms none', async () => {
    const [a, b] = [await startedMesh('a'), await startedMesh('b')];
    a.links.setNodes([b.record]);
    await a.linked('b');
    const stranger = await startedMesh('s', { certificate: await files('s', other) });
    stranger.links.setNodes([a.record]);
    await expect(stranger.links.dial('a')).rejects.toMatchObject({ code: 'mesh.unreachable' });
    expect(a.refusals('tls.handshake')).toBeGreaterThan(0);
    // It trusts theirs, and they don't trust its own.
    a.links.setNodes([b.record, stranger.record]);
    await expect(a.links.dial('s')).rejects.toMatchObject({ code: 'mesh.unreachable' });
    expect([a.links.size, stranger.links.size]).toEqual([1, 0]);
  });

  test('who shows no certificate, or speaks plain WebSocket, gets no link', async () => {
    const a = await startedMesh('a');
    const bare = new WebSocket(`wss://127.0.0.1:${a.links.port}/`, SUBPROTOCOL, { ca: authority.text });
    bare.on('error', () => {});
    await new Promise((resolve) => bare.once('close', resolve));
    const plain = new HandPeer(a.links.port);
    await plain.closed();
    expect(plain.control).toEqual([]);
    await until('both were refused', () => a.refusals('tls.handshake') === 2);
    expect(a.links.unproven).toBe(0);
  });

  test('one between the two that has a certificate of the authority can pass no proof on', async () => {
    const [a, b] = [await startedMesh('a'), await startedMesh('b')];
    const { options } = await files('between');
    const between = createServer({ ...options, requestCert: true }, (near) => {
      const far = connect({
        ...options,
        port: b.links.port,
        host: '127.0.0.1',
        checkServerIdentity: () => undefined,
      });
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const { port } = between.address() as AddressInfo;
    a.links.setNodes([{ ...b.record, mesh: [`127.0.0.1:${port}`] }]);
    await expect(a.links.dial('b')).rejects.toThrow(/mesh\.auth/);
    expect(b.refusals('mesh.auth')).toBeGreaterThan(0);
    between.close();
  });

  test('with names: node, a certificate is good for the node alone that it names', async () => {
    const [a, b] = [await startedMesh('a', { names: 'node' }), await startedMesh('b', { names: 'node' })];
    a.links.setNodes([b.record]);
    await a.linked('b');
    const posing = await startedMesh('c', { certificate: await files('d'), names: 'any' });
    posing.links.setNodes([a.record]);
    await expect(posing.links.dial('a')).rejects.toThrow(/mesh\.certificate/);
    expect(a.refusals('mesh.certificate')).toBeGreaterThan(0);
  });
});

describe('behind a proxy', () => {
  let proxied: RunningNode;
  const CLIENT = '203.0.113.9';
  const HEADER = tcp4Header(CLIENT, 4711, 40);
  const GET = 'GET /live/none.flv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n';

  beforeAll(async () => {
    proxied = await runNode({
      ...{ 'https.port': '0', 'rtmps.port': '0', 'play.waitMs': '0' },
      ...{ 'tls.cert': first.cert, 'tls.key': first.key },
      ...{ 'proxy.networks': '127.0.0.1/32', 'rtmp.maxConnectionsPerAddress': '1' },
    });
  });

  afterAll(() => proxied?.stop());

  /** A connection on which bytes were written, in parts of so many. */
  async function sentTo(port: number, bytes: Buffer, size = bytes.length): Promise<Socket> {
    const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    for (let at = 0; at < bytes.length; at += size) {
      socket.write(bytes.subarray(at, at + size));
      if (size < bytes.length) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return socket;
  }

  async function answerOf(socket: Duplex): Promise<string> {
    let said = '';
    for await (const bytes of socket) said += String(bytes);
    return said;
  }

  const refusedAs = (remote: string) =>
    proxied.lines.filter(({ event, remote: told }) => event === 'http.refused' && told === remote).length;

  test.each([1, 7, 56, 1_000])(
    'a header is read in parts of %d bytes, over HTTP and HTTPS, and names who asks',
    async (size) => {
      const before = refusedAs(`${CLIENT}:4711`);
      const bytes = Buffer.concat([HEADER, Buffer.from(`${GET}\r\n`)]);
      expect(await answerOf(await sentTo(proxied.httpPort, bytes, size))).toMatch(/^HTTP\/1\.1 404/);
      const raw = await sentTo(proxied.node.addresses.httpsPort, HEADER, size);
      const secure = connect({
        socket: raw,
        ca: authority.text,
        servername: '',
        checkServerIdentity: () => undefined,
      });
      secure.write(`${GET}\r\n`);
      expect(await answerOf(secure)).toMatch(/^HTTP\/1\.1 404/);
      expect(refusedAs(`${CLIENT}:4711`)).toBe(before + 2);
    },
  );

  test('RTMP and RTMPS are limited by the address that is told', async () => {
    const C0_C1 = Buffer.concat([Buffer.from([3]), Buffer.alloc(1536)]);
    const one = await sentTo(proxied.rtmpPort, Buffer.concat([HEADER, C0_C1]));
    await new Promise((resolve) => one.once('data', resolve));
    const second = connect({
      ...{ socket: await sentTo(proxied.node.addresses.rtmpsPort, HEADER), ca: authority.text },
      ...{ servername: '', checkServerIdentity: () => undefined },
    });
    second.on('error', () => {});
    await new Promise((resolve) => second.once('close', resolve));
    const other = await sentTo(proxied.rtmpPort, Buffer.concat([tcp4Header('203.0.113.10', 1), C0_C1]));
    await new Promise((resolve) => other.once('data', resolve));
    const refused = proxied.lines.filter(({ code }) => code === 'rtmp.too-many-from-address');
    expect(refused.map(({ remote }) => remote)).toEqual([CLIENT]);
    one.destroy();
    other.destroy();
  });

  test('X-Forwarded-For names who asks, and what stands before that counts for nothing', async () => {
    const before = refusedAs('198.51.100.7:0');
    const bytes = Buffer.from(`${GET}X-Forwarded-For: 127.0.0.1, 198.51.100.7\r\n\r\n`);
    await answerOf(await sentTo(proxied.httpPort, bytes));
    expect(refusedAs('198.51.100.7:0')).toBe(before + 1);
  });

  test('nothing that comes by it is this machine for the API', async () => {
    const ask = 'GET /api/v1/nodes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    for (const header of [
      Buffer.alloc(0),
      tcp4Header('127.0.0.1', 1),
      proxyHeader(Buffer.alloc(0), { command: 0x20 }),
    ]) {
      const bytes = Buffer.concat([header, Buffer.from(ask)]);
      expect(await answerOf(await sentTo(proxied.httpPort, bytes))).toMatch(
        /^HTTP\/1\.1 403[\s\S]*api\.loopback-only/,
      );
    }
  });

  test('a header that is broken ends its connection, and nobody else', async () => {
    const bad = proxyHeader(Buffer.alloc(12), { family: 0x12 });
    expect(
      await answerOf(await sentTo(proxied.httpPort, Buffer.concat([bad, Buffer.from(`${GET}\r\n`)]))),
    ).toBe('');
    const text = await (await fetch(`http://127.0.0.1:${proxied.httpPort}/metrics`)).text();
    expect(text).toMatch(/^tideway_wire_errors_total\{code="proxy.header"\} 1$/m);
  });

  test('a header from an address that is no proxy is no HTTP, and no RTMP', async () => {
    const bytes = Buffer.concat([HEADER, Buffer.from(`${GET}\r\n`)]);
    expect(await answerOf(await sentTo(node.httpPort, bytes))).toMatch(/^HTTP\/1\.1 400/);
    expect(await answerOf(await sentTo(node.rtmpPort, bytes))).toBe('');
    const forwarded = `${GET}X-Forwarded-For: 198.51.100.7\r\n\r\n`;
    await answerOf(await sentTo(node.httpPort, Buffer.from(forwarded)));
    expect(node.lines.filter(({ remote }) => String(remote).startsWith('198.51.100.7'))).toEqual([]);
  });
});
