// What comes over the links, handed to whom it is for: questions to the downstreams and the answers, answers to the
// subscriptions and the questions, media to the subscriptions, news to the replicas. It is the links' one owner, and decides nothing.
import { type Reason, WireError } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { ControlMessage } from '../format/mesh/control.ts';
import type { MediaMessage } from '../format/mesh/media-codec.ts';
import { readStreamKey } from '../registry/records.ts';
import type { Answers } from './answers.ts';
import type { Downstreams } from './downstreams.ts';
import type { LinkOwner, Peer, ToldHeads } from './peer.ts';
import type { Questions } from './questions.ts';
import type { Replicas } from './replicas.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface RelayNeeds {
  readonly subscriptions: Subscriptions;
  readonly downstreams: Downstreams;
  readonly replicas: Replicas;
  readonly questions: Questions;
  readonly answers: Answers;
  /** Can it have been granted by now? */
  readonly isPlausible: (epoch: number) => boolean;
  /** A peer is the origin of a stream, with this epoch. */
  readonly originAt: (node: string, key: StreamKey, epoch: number) => void;
  /** A peer knows a higher epoch of a stream that this node sent. */
  readonly fenced: (key: StreamKey, epoch: number) => void;
  /** A peer asks to have a stream ready here for so long; 0: no longer. */
  readonly wanted: (node: string, key: StreamKey, ttlMs: number) => void;
  /** A peer says that it stops: which process. */
  readonly stops: (boot: string) => void;
}

export class Relay implements LinkOwner {
  readonly #needs: RelayNeeds;

  constructor(needs: RelayNeeds) {
    this.#needs = needs;
  }

  opened(peer: Peer): void {
    this.#needs.subscriptions.opened(peer);
    this.#needs.downstreams.opened(peer);
    this.#needs.questions.opened(peer);
    this.#needs.answers.opened(peer);
  }

  closed(peer: Peer, why: Reason): void {
    this.#needs.downstreams.closed(peer, why);
    this.#needs.subscriptions.closed(peer);
    this.#needs.questions.closed(peer);
    this.#needs.answers.closed(peer);
  }

  drained(peer: Peer): void {
    // Media first.
    this.#needs.downstreams.drained(peer);
    this.#needs.answers.drained(peer);
  }

  heads(peer: Peer): ToldHeads {
    return this.#needs.downstreams.heads(peer);
  }

  media(peer: Peer, message: MediaMessage, bodyBytes = 0): void {
    this.#needs.subscriptions.media(peer, message, bodyBytes);
  }

  control(peer: Peer, message: ControlMessage): void {
    this.#check(peer, message);
    switch (message.is) {
      case 'sub':
      case 'unsub':
      case 'head':
        this.#needs.downstreams.control(peer, message);
        break;
      case 'origin':
        this.#needs.originAt(peer.node, keyOf(message.key), message.epoch);
        break;
      case 'fenced':
        this.#needs.fenced(keyOf(message.key), message.epoch);
        break;
      case 'preload':
        this.#needs.wanted(peer.node, keyOf(message.key), message.ttlMs);
        break;
      case 'goaway':
        if (message.only === undefined) this.#needs.stops(peer.boot);
        this.#needs.replicas.goAway(peer, message);
        break;
      case 'query':
        this.#needs.answers.control(peer, message);
        break;
      case 'reply':
      case 'noreply':
        this.#needs.questions.control(peer, message);
        break;
      case 'beat':
        this.#needs.replicas.headsTold(peer, message);
        break;
      default:
        this.#needs.subscriptions.control(peer, message);
    }
  }

  /**
   * An epoch that nobody can have been granted would fence every real one; a way that does not end at who tells it hides
   * rings.
   * @throws WireError `mesh.epoch`, `mesh.path`
   */
  #check(peer: Peer, message: ControlMessage): void {
    const epoch = epochOf(message);
    if (epoch > 0 && !this.#needs.isPlausible(epoch)) {
      throw new WireError('mesh.epoch', `the peer speaks of epoch ${epoch}, which is of a time to come`);
    }
    const path = message.is === 'ok' || message.is === 'path' ? message.path : undefined;
    if (path && path.at(-1) !== peer.node) {
      throw new WireError('mesh.path', `the peer tells a way to itself that ends at ${path.at(-1)}`);
    }
  }
}

/** The epoch that a message speaks of; 0 if of none. */
function epochOf(message: ControlMessage): number {
  if (message.is === 'sub') return message.resume?.epoch ?? 0;
  return 'epoch' in message ? message.epoch : 0;
}

/** @throws WireError `mesh.key` */
function keyOf(text: string): StreamKey {
  const key = readStreamKey(text);
  if (key) return key;
  throw new WireError('mesh.key', 'the peer speaks of a stream whose key is no app/name');
}
