// Certificates for tests, made by openssl: an authority, and what it signs, as files.
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Paths of a certificate and its key, and its SHA-256. */
export interface MadeCertificate {
  readonly cert: string;
  readonly key: string;
  readonly fingerprint: string;
}

export class Authority {
  readonly folder: string;
  /** Path of its own certificate, and its text. */
  readonly cert: string;
  readonly text: string;

  private constructor(folder: string, text: string) {
    this.folder = folder;
    this.cert = join(folder, 'ca.pem');
    this.text = text;
  }

  static async make(): Promise<Authority> {
    const folder = await mkdtemp(join(tmpdir(), 'tideway-tls-'));
    await make(folder, 'ca', ['-subj', '/CN=test authority', '-days', '30']);
    return new Authority(folder, await readFile(join(folder, 'ca.pem'), 'utf8'));
  }

  /** Signs one for 127.0.0.1 and further names, such as `DNS:node-a`. */
  async sign(name: string, { names = [] as readonly string[], days = 30 } = {}): Promise<MadeCertificate> {
    const { folder, cert } = this;
    const alternatives = ['IP:127.0.0.1', ...names].join(',');
    await make(folder, name, [
      ...['-subj', `/CN=${name}`, '-days', String(days), '-CA', cert, '-CAkey', join(folder, 'ca.key')],
      ...['-addext', `subjectAltName=${alternatives}`, '-addext', 'basicConstraints=CA:FALSE'],
    ]);
    const made = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    return { ...made, fingerprint: await fingerprintOf(made.cert) };
  }

  /** A copy, to be overwritten by another. */
  async copy(of: MadeCertificate, name: string): Promise<MadeCertificate> {
    const made = { cert: join(this.folder, `${name}.pem`), key: join(this.folder, `${name}.key`) };
    await overwrite({ ...made, fingerprint: '' }, of);
    return { ...made, fingerprint: of.fingerprint };
  }
}

/** Puts another certificate in the place of one, as a renewal does. */
export async function overwrite(place: MadeCertificate, by: MadeCertificate): Promise<void> {
  await copyFile(by.cert, place.cert);
  await copyFile(by.key, place.key);
}

async function make(folder: string, name: string, more: readonly string[]): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const out = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)];
  await run('openssl', ['req', '-x509', ...key, ...out, ...more]);
}

async function fingerprintOf(path: string): Promise<string> {
  return new X509Certificate(await readFile(path)).fingerprint256;
}
