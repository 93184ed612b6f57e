// How two nodes make sure of each other: a challenge both ways with the cluster's secret (design §6). Pure: messages in,
// messages out. Each side is a state machine that is good for one handshake.
//
//   dialler   hello{node, boot, version, nonce} ─>            acceptor
//                    <─ hello{node, boot, version, nonce}
//             proof{mac as 'dialler'} ─>                      checks it, and only then proves itself
//                    <─ proof{mac as 'acceptor'}
//
// A mac covers both hellos, so it is good for this one pair of nonces, and names the side that made it, so that it can't
// be sent back to where it came from. Over TLS it covers what only the two ends of the connection know, so that nobody
// between them can pass it on.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { TidewayError, WireError } from '../base/errors.ts';
import type { Control, ControlMessage } from '../format/mesh/control.ts';

/** The subprotocol, and the version of everything that is said on a link. */
export const SUBPROTOCOL = 'tideway.1';

/** Who a node says that it is. */
export interface Identity {
  readonly node: string;
  readonly boot: string;
  readonly version: string;
}

/** The connection that a handshake is done over, as far as it counts. */
export interface Channel {
  /** 64 hex digits that are this connection's alone (RFC 5705); empty without TLS. */
  readonly binding: string;
  /** May the peer be this node? */
  mayBe(node: string): boolean;
}

export const PLAIN: Channel = { binding: '', mayBe: () => true };

export interface HandshakeOptions {
  readonly self: Identity;
  readonly secret: string;
  /** 64 random hex digits, used for this handshake alone. */
  readonly nonce: string;
  /** Over which it is done; without it, over a plain connection. */
  readonly channel?: Channel;
}

/** What to send now, and who the peer is, once that is proven. */
export interface HandshakeStep {
  readonly send: ControlMessage | undefined;
  readonly peer: Identity | undefined;
}

type Hello = Control<'hello'>;
type Side = 'dialler' | 'acceptor';

/** Either side. */
export interface Handshake {
  /** What is said unasked; undefined for the side that waits. */
  open(): ControlMessage | undefined;
  /**
   * Takes the peer's next message.
   * @throws TidewayError `mesh.auth`, `mesh.self`, `mesh.wrong-node`, `mesh.certificate`; WireError `mesh.handshake-order`. It is over then.
   */
  take(message: ControlMessage): HandshakeStep;
}

/** The side that connected, to reach a certain node. */
export class DiallerHandshake implements Handshake {
  readonly #options: HandshakeOptions;
  readonly #expected: string;
  readonly #own: Hello;
  #state: { at: 'hello' } | { at: 'proof'; theirs: Hello } | { at: 'over' } = { at: 'hello' };

  /** @param expected the id of the node that was dialled; another one is refused, whatever it can prove */
  constructor(options: HandshakeOptions, expected: string) {
    this.#options = options;
    this.#expected = expected;
    this.#own = helloOf(options);
  }

  open(): ControlMessage {
    return this.#own;
  }

  take(message: ControlMessage): HandshakeStep {
    const state = this.#state;
    this.#state = { at: 'over' };
    if (state.at === 'hello' && message.is === 'hello') {
      checkHello(message, this.#options);
      if (message.node !== this.#expected) {
        const text = `node ${message.node} answers where ${this.#expected} was dialled`;
        throw new TidewayError('mesh.wrong-node', text, { peer: message.node });
      }
      this.#state = { at: 'proof', theirs: message };
      return { send: this.#proof(message), peer: undefined };
    }
    if (state.at === 'proof' && message.is === 'proof') {
      checkProof(message.mac, macOf(this.#options, 'acceptor', this.#own, state.theirs));
      return { send: undefined, peer: identityOf(state.theirs) };
    }
    throw outOfOrder(state.at, message);
  }

  #proof(theirs: Hello): ControlMessage {
    return { is: 'proof', mac: macOf(this.#options, 'dialler', this.#own, theirs).toString('hex') };
  }
}

/** The side that was connected to. It proves nothing to a peer that has not proven itself. */
export class AcceptorHandshake implements Handshake {
  readonly #options: HandshakeOptions;
  readonly #own: Hello;
  #state: { at: 'hello' } | { at: 'proof'; theirs: Hello } | { at: 'over' } = { at: 'hello' };

  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#own = helloOf(options);
  }

  open(): undefined {
    return undefined;
  }

  take(message: ControlMessage): HandshakeStep {
    const state = this.#state;
    this.#state = { at: 'over' };
    if (state.at === 'hello' && message.is === 'hello') {
      checkHello(message, this.#options);
      this.#state = { at: 'proof', theirs: message };
      return { send: this.#own, peer: undefined };
    }
    if (state.at === 'proof' && message.is === 'proof') {
      checkProof(message.mac, macOf(this.#options, 'dialler', state.theirs, this.#own));
      const mac = macOf(this.#options, 'acceptor', state.theirs, this.#own).toString('hex');
      return { send: { is: 'proof', mac }, peer: identityOf(state.theirs) };
    }
    throw outOfOrder(state.at, message);
  }
}

function helloOf({ self, nonce }: HandshakeOptions): Hello {
  return { is: 'hello', node: self.node, boot: self.boot, version: self.version, nonce };
}

function identityOf({ node, boot, version }: Hello): Identity {
  return { node, boot, version };
}

function checkHello(theirs: Hello, { self, nonce, channel = PLAIN }: HandshakeOptions): void {
  // Before the id: a challenge that comes back is an attack, or a mirror, and never a misconfigured node.
  if (theirs.nonce === nonce) {
    throw new TidewayError('mesh.auth', "the peer sends this node's own challenge back");
  }
  if (theirs.node === self.node) {
    const how = theirs.boot === self.boot ? 'this very process' : 'another process with the same node.id';
    throw new TidewayError('mesh.self', `the peer is ${how}`, { peer: theirs.node });
  }
  if (!channel.mayBe(theirs.node)) {
    const text = `the peer says that it is ${theirs.node}, which its certificate does not name`;
    throw new TidewayError('mesh.certificate', text, { peer: theirs.node });
  }
}

function checkProof(mac: string, expected: Buffer): void {
  // The schema holds a mac to 64 hex digits, so the lengths are equal.
  if (!timingSafeEqual(Buffer.from(mac, 'hex'), expected)) {
    throw new TidewayError(
      'mesh.auth',
      'the peer does not know the secret of this cluster: compare mesh.secret',
    );
  }
}

function macOf(options: HandshakeOptions, by: Side, dialler: Hello, acceptor: Hello): Buffer {
  const { secret, channel = PLAIN } = options;
  const said = [SUBPROTOCOL, by, ...fieldsOf(dialler), ...fieldsOf(acceptor)];
  if (channel.binding !== '') said.push(channel.binding);
  return createHmac('sha256', secret).update(JSON.stringify(said)).digest();
}

function fieldsOf({ nonce, node, boot, version }: Hello): string[] {
  return [nonce, node, boot, version];
}

function outOfOrder(at: string, { is }: ControlMessage): WireError {
  return new WireError('mesh.handshake-order', `a ${is} came while the handshake was at ${at}`, { at, is });
}
