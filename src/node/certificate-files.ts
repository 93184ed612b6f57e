// A certificate and its key in files: read at the start, looked at every few seconds, and taken again when they changed.
// A new pair that can't be used leaves the old one in use. Keys never reach a log.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Certificate, ShowsCertificate } from '../base/certificate.ts';
import { type Clock, every, type Timer } from '../base/clock.ts';
import { messageOf, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/schema.ts';

/** Paths of PEM files. */
export interface CertificatePaths {
  /** The certificate, behind it those that it is signed by. */
  readonly cert: string;
  readonly key: string;
  /** Those that peers have to be signed by; undefined: peers show none. */
  readonly ca?: string | undefined;
}

export interface CertificateNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** As operators know it: `tls`, `mesh.tls`. */
  readonly name: string;
}

const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;
/** One that ends sooner is warned of, once a day. */
const SOON_MS = 14 * DAY_MS;

/** What was read. */
interface Texts {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

interface Pair {
  readonly texts: Texts;
  readonly options: SecureContextOptions;
  readonly leaf: X509Certificate;
}

export class CertificateFiles implements Certificate {
  readonly #paths: CertificatePaths;
  readonly #needs: CertificateNeeds;
  #pair: Pair;
  readonly #servers: ShowsCertificate[] = [];
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  /** What was found and can't be used: complained of once it was found twice, as files are written one by one. */
  #broken: { readonly found: string; isTold: boolean } | undefined;
  #warnedMs = Number.NEGATIVE_INFINITY;
  /** New pairs taken, and new ones that could not be used. */
  reloads = 0;
  failures = 0;

  /**
   * Reads the files, at once.
   * @throws TidewayError `tls.unreadable`, `tls.bad-certificate`, `tls.bad-key`, `tls.key-mismatch`
   */
  constructor(paths: CertificatePaths, needs: CertificateNeeds) {
    this.#paths = paths;
    this.#needs = needs;
    const { cert, key, ca } = paths;
    const texts = { cert: textOf(cert), key: textOf(key), ca: ca === undefined ? undefined : textOf(ca) };
    this.#pair = pairOf(texts, paths);
  }

  get name(): string {
    return this.#needs.name;
  }

  get options(): SecureContextOptions {
    return this.#pair.options;
  }

  /** SHA-256 of the certificate in use, as openssl writes it. */
  get fingerprint(): string {
    return this.#pair.leaf.fingerprint256;
  }

  /** Seconds until the certificate in use ends; negative: it has ended. */
  get expirySeconds(): number {
    return Math.floor(this.#leftMs() / 1000);
  }

  renews(server: ShowsCertificate): void {
    this.#servers.push(server);
  }

  /** Begins to look after the files. */
  start(): void {
    this.#warn();
    this.#timer = every(this.#needs.clock, LOOK_MS, () => {
      this.#warn();
      void this.#look('quietly');
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Looks now, and complains at once. Never rejects. */
  async reload(): Promise<void> {
    await this.settled();
    await this.#look('aloud');
  }

  /** Resolves when no look is under way. */
  async settled(): Promise<void> {
    await this.#looking;
  }

  #look(how: 'quietly' | 'aloud'): Promise<void> {
    this.#looking ??= this.#readAgain(how).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #readAgain(how: 'quietly' | 'aloud'): Promise<void> {
    let found = 'unreadable';
    try {
      const { cert, key, ca } = this.#paths;
      const texts = {
        cert: await readFile(cert, 'utf8'),
        key: await readFile(key, 'utf8'),
        ca: ca === undefined ? undefined : await readFile(ca, 'utf8'),
      };
      found = JSON.stringify(texts);
      if (found === JSON.stringify(this.#pair.texts)) {
        this.#broken = undefined;
        return;
      }
      if (found === this.#broken?.found && this.#broken.isTold) return;
      this.#take(pairOf(texts, this.#paths));
    } catch (error) {
      this.#failed(found, error, how);
    }
  }

  #take(pair: Pair): void {
    for (const server of this.#servers) server.setSecureContext(pair.options);
    this.#pair = pair;
    this.#broken = undefined;
    this.reloads += 1;
    const { log, name } = this.#needs;
    log.info({ name, fingerprint: this.fingerprint, until: pair.leaf.validTo }, 'tls.reloaded');
    this.#warnedMs = Number.NEGATIVE_INFINITY;
    this.#warn();
  }

  #failed(found: string, error: unknown, how: 'quietly' | 'aloud'): void {
    const isNew = this.#broken?.found !== found;
    if (isNew) this.#broken = { found, isTold: false };
    if (!this.#broken || this.#broken.isTold || (isNew && how === 'quietly')) return;
    this.#broken.isTold = true;
    this.failures += 1;
    const code = error instanceof TidewayError ? error.code : 'tls.unreadable';
    const { log, name } = this.#needs;
    log.error({ name, code, detail: messageOf(error) }, 'tls.reload-failed');
  }

  /** Tells once a day of a certificate that has ended, or soon does. */
  #warn(): void {
    const { clock, log, name } = this.#needs;
    const leftMs = this.#leftMs();
    if (leftMs > SOON_MS || clock.now() - this.#warnedMs < DAY_MS) return;
    this.#warnedMs = clock.now();
    const until = this.#pair.leaf.validTo;
    const detail = leftMs > 0 ? 'the certificate ends soon' : 'the certificate has ended: peers refuse it';
    log.warn({ name, until, detail }, 'tls.expiry');
  }

  #leftMs(): number {
    return Date.parse(this.#pair.leaf.validTo) - this.#needs.clock.wallMs();
  }
}

/**
 * The certificates that the configuration names.
 * @throws TidewayError as the constructor does
 */
export function openCertificates(
  { tls, mesh }: Pick<Config, 'tls' | 'mesh'>,
  needs: Omit<CertificateNeeds, 'name'>,
): CertificateFiles[] {
  return [
    { name: 'tls', ...tls },
    { name: 'mesh.tls', ...mesh.tls },
  ].flatMap(({ name, cert, key, ...more }) => {
    if (cert === undefined || key === undefined) return [];
    return [new CertificateFiles({ cert, key, ca: 'ca' in more ? more.ca : undefined }, { ...needs, name })];
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TidewayError('tls.unreadable', `${path} can't be read: ${messageOf(cause)}`, {}, { cause });
  }
}

/** @throws TidewayError */
function pairOf(texts: Texts, paths: CertificatePaths): Pair {
  const leaf = certificateOf(texts.cert, paths.cert);
  if (texts.ca !== undefined) certificateOf(texts.ca, paths.ca ?? '');
  let isMatch: boolean;
  try {
    isMatch = leaf.checkPrivateKey(createPrivateKey(texts.key));
  } catch {
    throw new TidewayError('tls.bad-key', `${paths.key} holds no private key in PEM without a passphrase`);
  }
  if (!isMatch) {
    throw new TidewayError(
      'tls.key-mismatch',
      `the key in ${paths.key} is not that of the certificate in ${paths.cert}`,
    );
  }
  const { cert, key, ca } = texts;
  const options = { cert, key, ...(ca !== undefined && { ca }), minVersion: 'TLSv1.2' } as const;
  try {
    createSecureContext(options);
  } catch (cause) {
    const message = `the certificate in ${paths.cert} can't be used: ${messageOf(cause)}`;
    throw new TidewayError('tls.bad-certificate', message, {}, { cause });
  }
  return { texts, options, leaf };
}

function certificateOf(text: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new TidewayError('tls.bad-certificate', `${path} holds no certificate in PEM`, {}, { cause });
  }
}
