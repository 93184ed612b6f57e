// The RTMP handshake, both sides: RTMP 1.0 §5.2, and the unpublished digest form that Flash brought in and that
// ffmpeg, librtmp and OBS may ask for. Random bytes come in by hand.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { WireError } from '../../base/errors.ts';

export const RTMP_VERSION = 3;

/** C1, C2, S1 and S2 are this long. */
const PART_BYTES = 1536;
const DIGEST_BYTES = 32;
/** Where the digest's quarter starts: straight after time and version, or behind the key's quarter. */
const DIGEST_SCHEMES = [8, 772] as const;
/** A digest lies somewhere in the 764 - 32 - 4 bytes after the four that say where. */
const DIGEST_PLACES = 728;

/** A version of at least 3 makes ffmpeg and librtmp look for a digest. */
const SERVER_VERSION = Buffer.from([4, 5, 0, 1]);
const CLIENT_VERSION = Buffer.from([9, 0, 124, 2]);

const KEY_TAIL = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex');
const SERVER_TEXT = Buffer.from('Genuine Adobe Flash Media Server 001');
const CLIENT_TEXT = Buffer.from('Genuine Adobe Flash Player 001');
const SERVER_KEY = Buffer.concat([SERVER_TEXT, KEY_TAIL]);
const CLIENT_KEY = Buffer.concat([CLIENT_TEXT, KEY_TAIL]);

/** Makes `bytes` random bytes. */
export type RandomBytes = (bytes: number) => Buffer;

export interface HandshakeProgress {
  /** Bytes to send now; may be empty. */
  readonly reply: Buffer;
  /** Once the handshake is done: what came after it, maybe nothing. Until then undefined. */
  readonly rest: Buffer | undefined;
}

const EMPTY: Buffer = Buffer.alloc(0);
const WAITING: HandshakeProgress = { reply: EMPTY, rest: undefined };

/** The server's side: C0 and C1 in, S0, S1 and S2 out, C2 in. C2 is not compared: peers send what they like. */
export class ServerHandshake {
  readonly #random: RandomBytes;
  /** What came and is not used yet: less than two parts. */
  #received = EMPTY;
  #replied = false;

  constructor(random: RandomBytes) {
    this.#random = random;
  }

  /** @throws WireError `rtmp.handshake-version` */
  push(bytes: Buffer): HandshakeProgress {
    let received = Buffer.concat([this.#received, bytes]);
    this.#received = received;
    let reply = EMPTY;
    if (!this.#replied) {
      checkVersion(received);
      if (received.length < 1 + PART_BYTES) return WAITING;
      reply = this.#answer(received.subarray(1, 1 + PART_BYTES));
      received = received.subarray(1 + PART_BYTES);
      this.#received = received;
      this.#replied = true;
    }
    return { reply, rest: received.length < PART_BYTES ? undefined : received.subarray(PART_BYTES) };
  }

  #answer(c1: Buffer): Buffer {
    const s0 = Buffer.from([RTMP_VERSION]);
    const found = findDigest(c1, CLIENT_TEXT);
    // The simple form: version 0 in S1, and C1 as it came for S2.
    if (!found) return Buffer.concat([s0, hello(this.#random, Buffer.alloc(4)), c1]);
    const s1 = hello(this.#random, SERVER_VERSION);
    putDigest(s1, found.scheme, SERVER_TEXT);
    return Buffer.concat([s0, s1, digestReply(this.#random, found.digest, SERVER_KEY)]);
  }
}

/** The client's side: C0 and C1 out, S0, S1 and S2 in, C2 out. */
export class ClientHandshake {
  readonly #random: RandomBytes;
  readonly #form: 'simple' | 'digest';
  #received = EMPTY;

  constructor(random: RandomBytes, form: 'simple' | 'digest') {
    this.#random = random;
    this.#form = form;
  }

  /** C0 and C1: the first bytes of the connection. */
  start(): Buffer {
    const c1 = hello(this.#random, this.#form === 'digest' ? CLIENT_VERSION : Buffer.alloc(4));
    if (this.#form === 'digest') putDigest(c1, DIGEST_SCHEMES[0], CLIENT_TEXT);
    return Buffer.concat([Buffer.from([RTMP_VERSION]), c1]);
  }

  /** @throws WireError `rtmp.handshake-version` */
  push(bytes: Buffer): HandshakeProgress {
    const received = Buffer.concat([this.#received, bytes]);
    this.#received = received;
    checkVersion(received);
    if (received.length < 1 + 2 * PART_BYTES) return WAITING;
    const s1 = received.subarray(1, 1 + PART_BYTES);
    const found = this.#form === 'digest' ? findDigest(s1, SERVER_TEXT) : undefined;
    const c2 = found ? digestReply(this.#random, found.digest, CLIENT_KEY) : s1;
    return { reply: c2, rest: received.subarray(1 + 2 * PART_BYTES) };
  }
}

/** Looks at the first byte, once it is there. */
function checkVersion(received: Buffer): void {
  const version = received[0] ?? RTMP_VERSION;
  if (version === RTMP_VERSION) return;
  const text = `RTMP version ${version} is not spoken here, only ${RTMP_VERSION}`;
  throw new WireError('rtmp.handshake-version', text, { version });
}

/** C1 or S1: time 0, version, random bytes. */
function hello(random: RandomBytes, version: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(4), version, random(PART_BYTES - 8)]);
}

interface FoundDigest {
  readonly scheme: number;
  readonly digest: Buffer;
}

/** Looks for a digest made with `key` under both schemes; a hello without one asks for the simple form. */
function findDigest(hello: Buffer, key: Buffer): FoundDigest | undefined {
  if (hello.readUInt32BE(4) === 0) return undefined;
  for (const scheme of DIGEST_SCHEMES) {
    const at = digestPlace(hello, scheme);
    const digest = hello.subarray(at, at + DIGEST_BYTES);
    if (timingSafeEqual(digest, digestAround(hello, at, key))) return { scheme, digest };
  }
  return undefined;
}

function putDigest(hello: Buffer, scheme: number, key: Buffer): void {
  const at = digestPlace(hello, scheme);
  digestAround(hello, at, key).copy(hello, at);
}

/** The four bytes at the start of the quarter add up to the place in it. */
function digestPlace(hello: Buffer, scheme: number): number {
  let sum = 0;
  for (const byte of hello.subarray(scheme, scheme + 4)) sum += byte;
  return scheme + 4 + (sum % DIGEST_PLACES);
}

/** The digest of all but the digest itself. */
function digestAround(hello: Buffer, at: number, key: Buffer): Buffer {
  const before = hello.subarray(0, at);
  const after = hello.subarray(at + DIGEST_BYTES);
  return createHmac('sha256', key).update(before).update(after).digest();
}

/** C2 or S2: random bytes, signed with a key that is made of the peer's digest. */
function digestReply(random: RandomBytes, peerDigest: Buffer, key: Buffer): Buffer {
  const noise = random(PART_BYTES - DIGEST_BYTES);
  const replyKey = hmac(key, peerDigest);
  return Buffer.concat([noise, hmac(replyKey, noise)]);
}

function hmac(key: Buffer, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(bytes).digest();
}
