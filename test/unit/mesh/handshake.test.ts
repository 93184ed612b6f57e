// Two nodes that make sure of each other, and those that only seem to.
import { describe, expect, test } from 'vitest';
import type { ControlMessage } from '../../../src/format/mesh/control.ts';
import {
  AcceptorHandshake,
  type Channel,
  DiallerHandshake,
  type Handshake,
  type Identity,
} from '../../../src/mesh/handshake.ts';

const A: Identity = { node: 'a', boot: 'a'.repeat(16), version: '1.0' };
const B: Identity = { node: 'b', boot: 'b'.repeat(16), version: '1.0' };

const nonceOf = (digit: string) => digit.repeat(64);

function dialler({
  self = A,
  secret = 'secret',
  nonce = nonceOf('1'),
  expected = 'b',
} = {}): DiallerHandshake {
  return new DiallerHandshake({ self, secret, nonce }, expected);
}

function acceptor({ self = B, secret = 'secret', nonce = nonceOf('2') } = {}): AcceptorHandshake {
  return new AcceptorHandshake({ self, secret, nonce });
}

/** Hands messages to and fro until neither has one; who each believes the other to be, and everything that was said. */
function meet(dialling: DiallerHandshake, accepting: AcceptorHandshake) {
  const said: ControlMessage[] = [];
  const known: { dialler?: Identity; acceptor?: Identity } = {};
  let next: ControlMessage | undefined = dialling.open();
  let to: Handshake = accepting;
  while (next) {
    said.push(next);
    const { send, peer } = to.take(next);
    if (peer) known[to === accepting ? 'acceptor' : 'dialler'] = peer;
    next = send;
    to = to === accepting ? dialling : accepting;
  }
  return { said, ...known };
}

const code = (value: string) => expect.objectContaining({ code: value });

test('two nodes with one secret know each other after four messages', () => {
  const { said, dialler: diallersPeer, acceptor: acceptorsPeer } = meet(dialler(), acceptor());
  expect(said.map(({ is }) => is)).toEqual(['hello', 'hello', 'proof', 'proof']);
  expect(diallersPeer).toEqual(B);
  expect(acceptorsPeer).toEqual(A);
});

test('the acceptor knows nobody, and proves nothing, before the dialler has proven itself', () => {
  const dialling = dialler();
  const accepting = acceptor();
  const step = accepting.take(dialling.open());
  expect(step.peer).toBeUndefined();
  expect(step.send?.is).toBe('hello');
  expect(() => accepting.take({ is: 'proof', mac: nonceOf('0') })).toThrow(code('mesh.auth'));
});

test('another secret is refused by the acceptor', () => {
  expect(() => meet(dialler({ secret: 'guess' }), acceptor())).toThrow(code('mesh.auth'));
});

test('an acceptor that does not know the secret is refused by the dialler', () => {
  const dialling = dialler();
  const hello: ControlMessage = { is: 'hello', ...B, nonce: nonceOf('2') };
  expect(dialling.take(hello).send?.is).toBe('proof');
  expect(() => dialling.take({ is: 'proof', mac: nonceOf('0') })).toThrow(code('mesh.auth'));
});

test("the dialler's own proof, sent back, is none", () => {
  const dialling = dialler();
  const { send: proof } = dialling.take({ is: 'hello', ...B, nonce: nonceOf('2') });
  if (!proof) throw new Error('the dialler proved nothing');
  expect(() => dialling.take(proof)).toThrow(code('mesh.auth'));
});

test('a challenge that comes back is refused', () => {
  const hello: ControlMessage = { is: 'hello', ...B, nonce: nonceOf('1') };
  expect(() => dialler().take(hello)).toThrow(code('mesh.auth'));
});

test('a recorded handshake is worth nothing to another acceptor nonce', () => {
  const { said } = meet(dialler(), acceptor());
  const [hello, , proof] = said;
  if (!hello || !proof) throw new Error('nothing was said');
  const later = acceptor({ nonce: nonceOf('3') });
  later.take(hello);
  expect(() => later.take(proof)).toThrow(code('mesh.auth'));
});

test.each([
  ['node', { node: 'c' }],
  ['boot', { boot: 'c'.repeat(16) }],
  ['version', { version: '2.0' }],
  ['nonce', { nonce: nonceOf('9') }],
])('a %s that was changed under way is noticed', (_field, change) => {
  const dialling = dialler();
  const accepting = acceptor();
  const hello = dialling.open();
  const changed = accepting.take({ ...hello, ...change } as ControlMessage).send;
  if (!changed) throw new Error('the acceptor said nothing');
  const { send: proof } = dialling.take(changed);
  if (!proof) throw new Error('the dialler proved nothing');
  expect(() => accepting.take(proof)).toThrow(code('mesh.auth'));
});

test('a node that reaches itself says so', () => {
  expect(() => meet(dialler({ expected: 'a' }), acceptor({ self: A }))).toThrow(code('mesh.self'));
  const otherProcess = { ...A, boot: 'c'.repeat(16) };
  expect(() => meet(dialler({ expected: 'a' }), acceptor({ self: otherProcess }))).toThrow(/same node\.id/);
});

test('a dialler that reaches another node than it meant proves nothing to it', () => {
  const dialling = dialler({ expected: 'c' });
  const hello = acceptor().take(dialling.open()).send;
  if (!hello) throw new Error('the acceptor said nothing');
  expect(() => dialling.take(hello)).toThrow(code('mesh.wrong-node'));
});

describe('a message out of its order ends the handshake', () => {
  const hello: ControlMessage = { is: 'hello', ...A, nonce: nonceOf('1') };
  const unsub: ControlMessage = { is: 'unsub', ref: 1, id: 1 };
  test.each<[string, readonly ControlMessage[]]>([
    ['a proof first', [{ is: 'proof', mac: nonceOf('0') }]],
    ['a second hello', [hello, hello]],
    ['anything else', [unsub]],
    ['anything else later', [hello, unsub]],
  ])('%s', (_name, messages) => {
    const accepting = acceptor();
    const take = () => {
      for (const message of messages) accepting.take(message);
    };
    expect(take).toThrow(code('mesh.handshake-order'));
    // It is over: not even the right message helps.
    expect(() => accepting.take(hello)).toThrow(code('mesh.handshake-order'));
  });
});

describe('over TLS', () => {
  const channelOf = (binding: string, names: readonly string[] = ['a', 'b']) => ({
    binding,
    mayBe: (node: string) => names.includes(node),
  });
  const of = (self: typeof A, nonce: string, channel: Channel) => ({
    ...{ self, secret: 'secret', nonce: nonceOf(nonce), channel },
  });

  test('both ends of one connection come to terms', () => {
    const dialling = new DiallerHandshake(of(A, '1', channelOf('x')), 'b');
    const accepting = new AcceptorHandshake(of(B, '2', channelOf('x')));
    const hello = accepting.take(dialling.open()).send;
    const proof = hello && dialling.take(hello).send;
    const answer = proof && accepting.take(proof);
    expect(answer?.peer?.node).toBe('a');
    expect(answer?.send && dialling.take(answer.send).peer?.node).toBe('b');
  });

  test.each([
    ['another connection', 'y'],
    ['none with TLS', ''],
  ])('a proof that is passed on to %s is refused', (_what, other) => {
    const dialling = new DiallerHandshake(of(A, '1', channelOf('x')), 'b');
    const accepting = new AcceptorHandshake(of(B, '2', channelOf(other)));
    const hello = accepting.take(dialling.open()).send;
    const proof = hello && dialling.take(hello).send;
    expect(() => proof && accepting.take(proof)).toThrow(code('mesh.auth'));
  });

  test('a certificate that does not name the node is refused at either end', () => {
    const accepting = new AcceptorHandshake(of(B, '2', channelOf('x', ['c'])));
    const dialling = new DiallerHandshake(of(A, '1', channelOf('x', ['c'])), 'b');
    expect(() => accepting.take(dialling.open())).toThrow(code('mesh.certificate'));
    expect(() => dialling.take({ is: 'hello', ...B, nonce: nonceOf('2') })).toThrow(code('mesh.certificate'));
  });
});
