// May this publish go ahead? If not, why. It compares; it never logs what it compares.
import { createHash, timingSafeEqual } from 'node:crypto';
import { TidewayError } from '../base/errors.ts';

export class Authorizer {
  readonly #publishSecret: Buffer | undefined;

  /** @param options.publishSecret what publishers must give as `?key=`; undefined lets everyone publish */
  constructor(options: { publishSecret: string | undefined }) {
    this.#publishSecret = options.publishSecret === undefined ? undefined : digest(options.publishSecret);
  }

  /** Does it refuse anyone at all? */
  get guardsPublish(): boolean {
    return this.#publishSecret !== undefined;
  }

  /**
   * @param query of the stream name
   * @throws TidewayError `publish.denied`
   */
  checkPublish(query: URLSearchParams): void {
    if (this.#publishSecret === undefined) return;
    const given = query.get('key');
    if (given === null) {
      throw new TidewayError(
        'publish.denied',
        'this node wants a publish secret: append ?key=... to the stream name',
      );
    }
    if (!timingSafeEqual(digest(given), this.#publishSecret)) {
      throw new TidewayError('publish.denied', 'the publish secret is wrong');
    }
  }
}

/** Digests have one length, so that comparing them takes one time. */
function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
