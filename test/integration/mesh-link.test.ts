// Links between nodes over real sockets: who finds whom, which link stays, and what bad peers come to.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WireError } from '../../src/base/errors.ts';
import { encodeControl } from '../../src/format/mesh/control-codec.ts';
import { MeshEncoder } from '../../src/format/mesh/mesh-encoder.ts';
import { wsMessage } from '../../src/format/ws-frame.ts';
import { MAX_UNPROVEN } from '../../src/mesh/door.ts';
import { Link } from '../../src/mesh/link.ts';
import type { Peer } from '../../src/mesh/peer.ts';
import { loggedFrame } from '../support/mesh-bytes.ts';
import { HandPeer, LinkWitness, MeshNode, newBoot, Wire } from '../support/mesh-node.ts';
import { until } from '../support/until.ts';

const nodes: MeshNode[] = [];

async function started(...args: Parameters<typeof MeshNode.start>): Promise<MeshNode> {
  const node = await MeshNode.start(...args);
  nodes.push(node);
  return node;
}

afterEach(async () => {
  await Promise.all(nodes.splice(0).map(({ links }) => links.stop()));
});

/** Two nodes with a link that the first one dialled. */
async function pair(first = 'a', second = 'b'): Promise<[MeshNode, MeshNode]> {
  const dialling = await started(first);
  const accepting = await started(second);
  dialling.links.setNodes([accepting.record]);
  await dialling.links.dial(second);
  await accepting.linked(first);
  return [dialling, accepting];
}

const identity = (node: string) => ({ node, boot: newBoot(), version: '0.0.0' });

describe('two nodes', () => {
  test('that know of each other find each other: one link, dialled by the lower id', async () => {
    const a = await started('a');
    const b = await started('b');
    b.links.setNodes([a.record]);
    a.links.setNodes([b.record]);
    const [toB, toA] = await Promise.all([a.linked('b'), b.linked('a')]);
    expect([toB.boot, toA.boot]).toEqual([b.boot, a.boot]);
    expect([a.links.dialled, b.links.dialled, b.links.accepted]).toEqual([1, 0, 1]);
    await until('both have a quality', () => toA.quality && toB.quality);
    expect(Math.abs(toA.quality?.offsetMs ?? Number.NaN)).toBeLessThan(20);
  });

  test('that dial at once are left with the link of the lower id', { timeout: 60_000 }, async () => {
    let replaced = 0;
    for (let round = 0; round < 20; round += 1) {
      const a = await started('a');
      const b = await started('b');
      // Every other time the dial of the lower id is held up until the other's link is open.
      let letThrough = () => {};
      const gate = new Promise<void>((resolve) => {
        letThrough = resolve;
      });
      await using way = await gatedServer(b.links.port, gate);
      b.links.setNodes([a.record]);
      a.links.setNodes([{ ...b.record, mesh: [`127.0.0.1:${way.port}`] }]);
      const toA = b.links.dial('a');
      if (round % 2) await until("the higher id's link is open", () => a.open.length === 1);
      letThrough();
      const dials = await Promise.all([a.links.dial('b'), toA]);
      expect(dials.map(({ node }) => node)).toEqual(['b', 'a']);
      const left = () => [a, b].map(({ open }) => open.map(isDialled).join());
      await until(`round ${round}: the one of the lower id is left`, () => left().join(' ') === 'true false');
      a.links.get('b')?.send({ is: 'unsub', ref: 1, id: 1 });
      b.links.get('a')?.send({ is: 'unsub', ref: 2, id: 1 });
      await until('it works both ways', () => a.controlOf('b').length + b.controlOf('a').length === 2);
      expect([a.links.get('b'), b.links.get('a')]).toEqual([a.open[0], b.open[0]]);
      expect(left(), 'nothing changed meanwhile').toEqual(['true', 'false']);
      for (const { closed } of [a, b]) {
        expect(closed.every(({ why }) => why.code === 'mesh.duplicate')).toBe(true);
      }
      replaced += a.closed.length;
      expect([a.links.refused.samples(), a.links.wireErrors.samples()]).toEqual([[], []]);
      await Promise.all([a.links.stop(), b.links.stop()]);
    }
    expect(replaced, "the higher id's link was open first, and had to go").toBeGreaterThanOrEqual(10);
  });

  test('lose their link, and the lower id dials again by itself', async () => {
    const [a, b] = await pair();
    const [first] = a.open;
    first?.close({ code: 'mesh.test', message: 'for this test' });
    await until('there is another', () => a.links.get('b') !== undefined && a.links.get('b') !== first);
    expect(b.closed[0]?.why).toMatchObject({
      code: 'mesh.peer-closed',
      message: expect.stringMatching('mesh.test'),
    });
  });

  test('meet again when one comes back as a new process on its old port', async () => {
    const [a, b] = await pair();
    const port = b.links.port;
    await b.links.stop();
    await until('the link is gone', () => a.open.length === 0);
    const again = await started('b', { port });
    await until('a new link', () => a.links.get('b')?.boot === again.boot);
  });

  test('a new process replaces the link of the old one, which is not closed yet', async () => {
    const a = await started('a');
    const old = await HandPeer.proven(a, identity('b'));
    const oldPeer = await a.linked('b');
    const self = identity('b');
    const next = await HandPeer.proven(a, self);
    await until('the new link is the one', () => a.links.get('b')?.boot === self.boot);
    expect(oldPeer.isOpen).toBe(false);
    expect((await old.closed()).reason).toMatch('mesh.restarted');
    expect(a.told.map(({ is }) => is)).toEqual(['opened', 'closed', 'opened']);
    expect(next.closedWith).toBeUndefined();
  });

  test('the same process that dials again replaces its link only if that is silent', async () => {
    const a = await started('a');
    const self = identity('b');
    const old = await HandPeer.proven(a, self);
    const peer = await a.linked('b');
    // The acceptor closes it instead of proving itself.
    await expect(HandPeer.proven(a, self)).rejects.toThrow('mesh.duplicate');
    expect(a.links.get('b')).toBe(peer);
    await until('the old one is silent', () => peer.silentMs(performance.now()) > 600);
    await HandPeer.proven(a, self);
    await until('it is replaced', () => a.links.get('b')?.isOpen && a.links.get('b') !== peer);
    expect((await old.closed()).reason).toMatch('mesh.duplicate');
  });

  test("carry each other's registry time; the median counts", async () => {
    const a = await started('a');
    const others = await Promise.all(
      [1_000_000, 2_000_000, 9_000_000].map((registryWallMs, n) => started(`b${n}`, { registryWallMs })),
    );
    const mute = await started('c');
    a.links.setNodes([...others, mute].map(({ record }) => record));
    await Promise.all([...others, mute].map(({ node }) => a.linked(node)));
    await until('all have told', () => others.every(({ node }) => a.links.get(node)?.registryWallMs));
    expect(a.links.peersRegistryWallMs()).toBeGreaterThanOrEqual(2_000_000);
    expect(a.links.peersRegistryWallMs()).toBeLessThan(2_010_000);
    expect(mute.links.peersRegistryWallMs()).toBeUndefined();
  });

  test('say which heads moved, and when, in beats', async () => {
    const a = await started('a');
    const b = await started('b');
    const told: unknown[] = [];
    b.hooks = {
      control: (_peer, message) => message.is === 'beat' && told.push([message.heads, message.cameAt]),
    };
    a.hooks = { heads: () => ({ heads: [[1, 2, 3]], cameAt: [4.5] }) };
    a.links.setNodes([b.record]);
    await until('a head came', () => told[0]);
    expect(told[0]).toEqual([[[1, 2, 3]], [4.5]]);
  });
});

describe('a dial', () => {
  test('falls to the next address when nobody, or another node, answers', async () => {
    const a = await started('a');
    const b = await started('b');
    const c = await started('c');
    const closed = await closedPort();
    const mesh = [
      `127.0.0.1:${closed}`,
      '127.0.0.1:99999',
      `127.0.0.1:${c.links.port}`,
      `127.0.0.1:${a.links.port}`,
      `127.0.0.1:${b.links.port}`,
    ];
    a.links.setNodes([{ ...b.record, mesh }]);
    expect((await a.links.dial('b')).boot).toBe(b.boot);
    expect(a.refusals('mesh.wrong-node')).toBe(1);
    expect(a.refusals('mesh.self')).toBe(1);
    expect(c.open).toEqual([]);
  });

  test('ends with an error within three seconds when an address takes it and says nothing', async () => {
    const a = await started('a');
    await using mute = await muteServer();
    a.links.setNodes([
      { ...a.record, node: 'b', mesh: Array.from({ length: 8 }, () => `127.0.0.1:${mute.port}`) },
    ]);
    const sinceMs = performance.now();
    await expect(a.links.dial('b')).rejects.toMatchObject({ code: 'mesh.unreachable' });
    expect(performance.now() - sinceMs).toBeLessThan(3_500);
  });

  test('of an unknown node ends at once', async () => {
    const a = await started('a');
    await expect(a.links.dial('nobody')).rejects.toMatchObject({ code: 'mesh.unreachable' });
  });

  test('is one for all who ask meanwhile', async () => {
    const a = await started('b');
    const b = await started('a');
    a.links.setNodes([b.record]);
    const [one, two] = await Promise.all([a.links.dial('a'), a.links.dial('a')]);
    expect(one).toBe(two);
    expect(a.links.dialled).toBe(1);
  });

  test('that is under way when the node stops ends', async () => {
    const a = await started('a');
    await using mute = await muteServer();
    a.links.setNodes([{ ...a.record, node: 'b', mesh: [`127.0.0.1:${mute.port}`] }]);
    const dialling = a.links.dial('b');
    await a.links.stop();
    await expect(dialling).rejects.toMatchObject({ code: 'node.stopping' });
  });

  test('to a node with another secret ends, and both sides say why, seldom', async () => {
    const a = await started('a');
    const b = await started('b', { secret: 'another' });
    a.links.setNodes([b.record]);
    await expect(a.links.dial('b')).rejects.toThrow(/mesh\.auth/);
    await until('it was tried again', () => b.refusals('mesh.auth') >= 3);
    expect(b.events('mesh.refused')).toHaveLength(1);
    expect(a.events('mesh.dial-failed').length).toBe(1);
    expect([a.open, b.open]).toEqual([[], []]);
  });
});

describe('media', () => {
  test.each([
    ['accepted', 1],
    ['dialled', 0],
  ] as const)('and control keep their order on a link that was %s, and every byte', async (_how, at) => {
    const ends = await pair();
    const sender = ends[at];
    const receiver = ends[1 - at] as MeshNode;
    const peer = await sender.linked(receiver.node);
    const encoder = new MeshEncoder(7);
    const frames = Array.from({ length: 120 }, (_, n) =>
      loggedFrame(n % 3 ? 'avc delta' : 'aac sample', 10 + n, n * 20, n % 40 === 0 ? 300_000 : n * 17),
    );
    for (const [n, frame] of frames.entries()) {
      peer.send({ is: 'unsub', ref: n + 1, id: 1 });
      peer.write(encoder.encode([frame]));
    }
    const order = () =>
      receiver.told.flatMap((told): (string | number)[] => {
        if (told.is === 'media') return told.media.frames.map(({ seq }) => seq - 10);
        return told.is === 'control' && told.message.is === 'unsub' ? [`unsub ${told.message.ref}`] : [];
      });
    await until('all came', () => order().length === 240);
    expect(order()).toEqual(frames.flatMap((_, n) => [`unsub ${n + 1}`, n]));
    const got = receiver.told.flatMap((told) => (told.is === 'media' ? told.media.frames : []));
    expect(got.map(({ kind, dts }) => [kind, dts])).toEqual(
      frames.map(({ frame }) => [frame.kind, frame.dts]),
    );
    expect(got.every(({ payload }, n) => payload.equals(frames[n]?.frame.payload ?? Buffer.alloc(0)))).toBe(
      true,
    );
  });

  test('for a peer that takes nothing piles up to a bound, then the link ends', async () => {
    const a = await started('a');
    const slow = await HandPeer.proven(a, identity('b'));
    const peer = await a.linked('b');
    slow.socket?.pause();
    const framed = wsMessage(Buffer.alloc(1024 * 1024));
    let most = 0;
    for (let n = 0; n < 100 && peer.isOpen; n += 1) {
      peer.write(framed);
      most = Math.max(most, peer.backlogBytes);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('the link ended', () => a.closed[0]);
    expect(a.closed[0]?.why.code).toBe('mesh.backlog');
    expect(most).toBeLessThan(20 * 1024 * 1024);
    slow.webSocket.terminate();
  });

  test('is metered by what the peer says that it has read', async () => {
    const [a, b] = await pair();
    const peer = await a.linked('b');
    const framed = wsMessage(encodeControl({ is: 'unsub', ref: 1, id: 1 }));
    const part = Buffer.concat(Array.from({ length: 300 }, () => framed));
    const drains = () => a.told.filter(({ is }) => is === 'drained').length;
    for (let n = 0; n < 10; n += 1) {
      // Too little for the socket's queue to run full, and so to be told of as empty.
      peer.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('all was read', () => b.controlOf('a').length === 3_000);
    await until('the sender knows', () => peer.sentBytes - peer.takenBytes < 16 * 1024);
    expect(part.length).toBeLessThan(16 * 1024);
    expect(drains()).toBeGreaterThan(0);
    expect(peer.takenBytes).toBeLessThanOrEqual(peer.sentBytes);
    expect(peer.windowBytes).toBeGreaterThanOrEqual(64 * 1024);
  });

  test('that was waiting for a slow peer is told of when it has gone', async () => {
    const a = await started('a');
    const slow = await HandPeer.proven(a, identity('b'));
    const peer = await a.linked('b');
    slow.socket?.pause();
    const framed = wsMessage(encodeControl({ is: 'unsub', ref: 1, id: 1 }));
    while (peer.backlogBytes < 500_000)
      peer.write(Buffer.concat(Array.from({ length: 1_000 }, () => framed)));
    slow.socket?.resume();
    await until('it drained', () => a.told.some(({ is }) => is === 'drained'));
    expect(peer.backlogBytes).toBe(0);
  });
});

describe('silence', () => {
  test('is not what this process slept through', async () => {
    const [a, b] = await pair();
    const toB = await a.linked('b');
    const toA = await b.linked('a');
    const most = { ms: 0 };
    const look = () => {
      const nowMs = performance.now();
      most.ms = Math.max(most.ms, toA.silentMs(nowMs), toB.silentMs(nowMs));
    };
    await until('beats go', () => a.beats > 2 && b.beats > 2);
    const timer = setInterval(look, 5);
    for (let n = 0; n < 4; n += 1) {
      // Both ends live in this process: each stall is both's.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
      look();
      const beats = a.beats;
      await until('beats go on', () => a.beats > beats + n);
    }
    clearInterval(timer);
    expect(most.ms).toBeLessThan(300);
    expect(a.open).toEqual([toB]);
  });

  test('counts any byte, and ends the link after two seconds', async () => {
    const a = await started('a');
    const mute = await HandPeer.proven(a, identity('b'));
    const peer = await a.linked('b');
    await until('it is silent', () => peer.silentMs(performance.now()) > 500);
    // The first byte of a message that does not come.
    mute.socket?.write(Buffer.of(0x82));
    await until('a byte was heard', () => peer.silentMs(performance.now()) < 200);
    const sinceMs = performance.now();
    await until('the link ended', () => a.closed[0]);
    expect(a.closed[0]?.why.code).toBe('mesh.silent');
    expect(performance.now() - sinceMs).toBeGreaterThan(1_700);
  });
});

describe('beside a bad peer the witness loses nothing:', () => {
  let node: MeshNode;
  let witness: LinkWitness;

  beforeEach(async () => {
    const [a, b] = await pair('w', 'a');
    node = b;
    witness = new LinkWitness(a, b);
  });

  afterEach(async () => {
    try {
      await witness.undisturbed();
      expect(node.open.map((peer) => peer.node)).toContain('w');
      expect(node.events('mesh.internal-error')).toEqual([]);
      await until('nothing is left of the bad ones', () => node.links.unproven === 0);
    } finally {
      witness.stop();
    }
  });

  const deep = () =>
    Buffer.concat([Buffer.from([0x81, 0xa2, 0x69, 0x73]), Buffer.alloc(50, 0x91), Buffer.of(0xc0)]);
  const many = () => Buffer.concat([Buffer.of(0xdd, 0, 0, 0xff, 0xff), Buffer.alloc(0xffff, 0xc0)]);

  /** What comes of it, said before and after the proof. */
  const messages: [string, () => Buffer | string, string][] = [
    ['garbage', () => Buffer.from('c1c1c1c1', 'hex'), 'mesh.type'],
    ['text', () => 'hello', 'mesh.text'],
    ['values nested too deep', deep, 'mesh.depth'],
    ['an unknown kind', () => Buffer.from([0x81, 0xa2, 0x69, 0x73, 0xa1, 0x78]), 'mesh.schema'],
    ['nothing at all', () => Buffer.alloc(0), 'mesh.truncated'],
  ];

  test.each(messages)('%s before the proof', async (_name, message, code) => {
    const peer = await HandPeer.connected(node.links.port);
    peer.say(message());
    expect((await peer.closed()).reason).toMatch(code);
    expect(node.wireErrors(code)).toBe(1);
  });

  test.each([
    ...messages,
    ['too many values', many, 'mesh.too-large'],
    ['broken media', () => Buffer.from([0x95, 1, 2, 3]), 'mesh.truncated'],
    [
      'a second hello',
      () => encodeControl({ is: 'hello', ...identity('x'), nonce: 'a'.repeat(64) }),
      'mesh.handshake-order',
    ],
    ['a second proof', () => encodeControl({ is: 'proof', mac: 'a'.repeat(64) }), 'mesh.handshake-order'],
  ] as [string, () => Buffer | string, string][])('%s after the proof', async (_name, message, code) => {
    const peer = await HandPeer.proven(node, identity('x'));
    peer.say(message());
    expect((await peer.closed()).reason).toMatch(code);
    expect(node.wireErrors(code)).toBe(1);
    expect(node.closed.map(({ peer: { node: id }, why }) => [id, why.code])).toEqual([['x', code]]);
  });

  test.each<[string, (peer: HandPeer) => void, string]>([
    ['media', (peer) => peer.say(mediaBody()), 'mesh.handshake-order'],
    ['a large message', (peer) => peer.say(Buffer.alloc(5_000)), 'mesh.too-large'],
    [
      'a message that never ends',
      (peer) => peer.socket?.write(Buffer.concat([LONG_HEAD, Buffer.alloc(60_000)])),
      'mesh.too-large',
    ],
    ['another control message', (peer) => peer.say({ is: 'unsub', ref: 1, id: 1 }), 'mesh.handshake-order'],
  ])('%s before the proof', async (_name, act, code) => {
    const peer = await HandPeer.connected(node.links.port);
    act(peer);
    expect((await peer.closed()).reason).toMatch(code);
    expect(node.wireErrors(code)).toBe(1);
  });

  test.each<[string, (peer: HandPeer) => void, string]>([
    ['a message that is too large', (peer) => peer.socket?.write(HUGE_HEAD), 'mesh.too-large'],
    [
      'a flood of fragments',
      (peer) => {
        peer.webSocket.send(Buffer.alloc(1), { fin: false });
        for (let n = 0; n < 10_000; n += 1) peer.webSocket.send(Buffer.alloc(0), { fin: false });
      },
      'mesh.bad-frame',
    ],
    [
      'a flood of pings',
      (peer) => {
        for (let n = 0; n < 1_000; n += 1) peer.webSocket.ping();
      },
      'mesh.talks-too-much',
    ],
    [
      'a flood of pongs',
      (peer) => {
        for (let n = 0; n < 1_000; n += 1) peer.webSocket.pong();
      },
      'mesh.talks-too-much',
    ],
    [
      'a frame that RFC 6455 forbids',
      (peer) => peer.socket?.write(Buffer.from([0xf2, 0x80, 0, 0, 0, 0])),
      'mesh.bad-frame',
    ],
    ['an unmasked frame', (peer) => peer.socket?.write(Buffer.from([0x82, 1, 0xc0])), 'mesh.bad-frame'],
  ])('%s after the proof', async (_name, act, code) => {
    const peer = await HandPeer.proven(node, identity('x'));
    act(peer);
    await peer.closed();
    await until('it was counted', () => node.wireErrors(code) === 1);
    expect(node.closed.map(({ peer: { node: id }, why }) => [id, why.code])).toEqual([['x', code]]);
  });

  test('a flood of control messages is read no faster than it may come', async () => {
    const peer = await HandPeer.proven(node, identity('x'));
    const framed = wsMessage(encodeControl({ is: 'fenced', key: 'app/x', epoch: 1 }));
    const masked = Buffer.concat([Buffer.of(0x82, (framed[1] ?? 0) | 0x80, 0, 0, 0, 0), framed.subarray(2)]);
    const cameMs: number[] = [];
    node.hooks = {
      control: ({ node: id }, { is }) => id === 'x' && is === 'fenced' && cameMs.push(performance.now()),
    };
    peer.socket?.write(Buffer.concat(Array.from({ length: 60_000 }, () => masked)));
    await until('all came', () => cameMs.length === 60_000, 15_000);
    // 20,000 at once, and so many in a second.
    expect((cameMs[59_999] ?? 0) - (cameMs[0] ?? 0)).toBeGreaterThan(1_500);
    expect(node.open.map((open) => open.node)).toContain('x');
    peer.webSocket.terminate();
  });

  test('a recording of a good handshake, played again', async () => {
    const recorded: Buffer[] = [];
    await using tap = await tapServer(node.links.port, recorded);
    const other = await started('other');
    other.links.setNodes([{ ...node.record, mesh: [`127.0.0.1:${tap.port}`] }]);
    await other.links.dial(node.node);
    await other.links.stop();
    await until('the recorded link is closed', () => node.links.get('other') === undefined);
    const replay = new Wire(node.links.port);
    replay.socket.write(Buffer.concat(recorded));
    await replay.closed();
    expect(replay.received.toString('latin1')).toMatch('101 Switching');
    expect(node.refusals('mesh.auth')).toBe(1);
    expect(node.links.get('other')).toBeUndefined();
  });

  test("a challenge that is the node's own, sent back", async () => {
    const first = await HandPeer.connected(node.links.port);
    const second = await HandPeer.connected(node.links.port);
    first.say({ is: 'hello', ...identity('x'), nonce: 'a'.repeat(64) });
    const challenge = await first.heard('hello');
    if (challenge.is !== 'hello') return;
    // As if the node were to answer its own challenge on another connection.
    second.say({ ...challenge, ...identity('x') });
    await second.heard('hello');
    first.say({ is: 'proof', mac: 'a'.repeat(64) });
    expect((await first.closed()).reason).toMatch('mesh.auth');
    // The acceptor proved nothing to either.
    expect([...first.control, ...second.control].map(({ is }) => is)).toEqual(['hello', 'hello']);
    second.webSocket.terminate();
  });

  test('a node with the same id', async () => {
    const peer = await HandPeer.connected(node.links.port);
    peer.say({ is: 'hello', ...identity(node.node), nonce: 'a'.repeat(64) });
    expect((await peer.closed()).reason).toMatch('mesh.self');
    expect(node.refusals('mesh.self')).toBe(1);
  });

  test('a crowd that never proves itself is bounded, has its time, and keeps no node out', {
    timeout: 20_000,
  }, async () => {
    const slow = Array.from({ length: MAX_UNPROVEN }, () => new Wire(node.links.port));
    await until('they are in', () => node.links.unproven === MAX_UNPROVEN);
    const dribble = setInterval(() => {
      for (const { socket } of slow) socket.write('G');
    }, 500);
    const [longest] = slow;
    const proven = await HandPeer.proven(node, identity('x'));
    await longest?.closed();
    expect(proven.closedWith).toBeUndefined();
    expect(node.refusals('mesh.too-many-unproven')).toBe(1);
    proven.webSocket.terminate();
    await Promise.all(slow.map((wire) => wire.closed(8_000)));
    clearInterval(dribble);
    expect(node.links.unproven).toBe(0);
    expect(node.events('mesh.refused').length, 'one line per address').toBe(1);
  });

  test.each([
    ['a plain request', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', 426],
    ['a request with a body', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nxxx', 426],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['large headers', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(8_000)}\r\n\r\n`, 400],
    ['another subprotocol', upgrade('/', 'mqtt'), 400],
    ['no subprotocol', upgrade('/', ''), 400],
    ['another path', upgrade('/other', 'tideway.1'), 404],
    ['an upgrade without a key', upgrade('/', 'tideway.1').replace(/sec-websocket-key.*\r\n/, ''), 400],
  ])('%s is answered by HTTP', async (_name, request, status) => {
    const wire = new Wire(node.links.port);
    wire.socket.write(request);
    await wire.closed();
    expect(wire.received.toString('latin1')).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test('an owner that finds a message wrong ends that link only', async () => {
    node.hooks = {
      control: (peer) => {
        if (peer.node === 'x') throw new WireError('mesh.order', 'for this test');
      },
    };
    const peer = await HandPeer.proven(node, identity('x'));
    peer.say({ is: 'unsub', ref: 1, id: 1 });
    expect((await peer.closed()).reason).toMatch('mesh.order');
    expect(node.wireErrors('mesh.order')).toBe(1);
  });
});

test('an owner that fails loses that link only, and it is logged', async () => {
  const a = await started('a');
  const others = await Promise.all(['control', 'opened', 'heads'].map((how) => started(`b-${how}`)));
  const well = await started('well');
  const bug = () => {
    throw new Error('a bug');
  };
  const on = (how: string) => (peer: Peer) => (peer.node === `b-${how}` ? bug() : undefined);
  a.hooks = {
    control: on('control'),
    opened: on('opened'),
    heads: (peer) => on('heads')(peer) ?? { heads: [], cameAt: [] },
    closed: (peer) => (peer.node === 'b-heads' ? bug() : undefined),
  };
  a.links.setNodes([...others, well].map(({ record }) => record));
  await a.linked('well');
  await until('each was closed', () =>
    others.every(({ node }) => a.closed.some(({ peer }) => peer.node === node)),
  );
  expect(a.closed.every(({ why }) => why.code === 'mesh.internal')).toBe(true);
  expect(a.events('mesh.internal-error').length).toBeGreaterThanOrEqual(4);
  expect(a.open.map(({ node }) => node)).toContain('well');
});

test('stop ends every link and the port within its time, also of peers that do not answer', async () => {
  const a = await started('a');
  const mute = await HandPeer.proven(a, identity('b'));
  await a.linked('b');
  mute.socket?.pause();
  const wire = new Wire(a.links.port);
  await until('it is in', () => a.links.unproven === 1);
  const sinceMs = performance.now();
  await Promise.all([a.links.stop(), a.links.stop()]);
  expect(performance.now() - sinceMs).toBeLessThan(1_900);
  await wire.closed();
  expect(a.closed.map(({ why }) => why.code)).toEqual(['node.stopping']);
  expect([a.links.size, a.links.port]).toEqual([0, 0]);
  mute.webSocket.terminate();
});

/** The head of a masked message of 1 MB, and of one that is over any limit. */
const LONG_HEAD = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]);
const HUGE_HEAD = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]);

function mediaBody(): Buffer {
  return Buffer.from([0x95, 1, 1, 0, 1, 0, 0x94, 0, 9, 0, 0xc4, 1, 0]);
}

function upgrade(path: string, protocol: string): string {
  const asked = protocol ? `sec-websocket-protocol: ${protocol}\r\n` : '';
  return (
    `GET ${path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n` +
    `sec-websocket-key: ${Buffer.alloc(16).toString('base64')}\r\n${asked}\r\n`
  );
}

function isDialled(peer: Peer): boolean {
  return peer instanceof Link && peer.isDialled;
}

async function closedPort(): Promise<number> {
  const server = await serve(() => {});
  await server[Symbol.asyncDispose]();
  return server.port;
}

/** Takes connections and says nothing. */
function muteServer() {
  return serve(() => {});
}

/** Passes bytes on, once the gate is open. */
function gatedServer(port: number, gate: Promise<void>) {
  return serve((socket) => {
    void gate.then(() => {
      const onward = connect({ port, host: '127.0.0.1' });
      socket.pipe(onward).pipe(socket);
      onward.on('error', () => socket.destroy());
      socket.on('close', () => onward.destroy());
    });
  });
}

/** Passes bytes on, and writes down those that come in. */
function tapServer(port: number, recorded: Buffer[]) {
  return serve((socket) => {
    const onward = connect({ port, host: '127.0.0.1' });
    socket.on('data', (bytes) => recorded.push(bytes));
    socket.pipe(onward).pipe(socket);
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
}

async function serve(accept: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // 'close' follows
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
