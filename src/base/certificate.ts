// What a door that speaks TLS needs of the certificate it shows, which may be another one at any time. Types only.
import type { SecureContextOptions } from 'node:tls';

/** A server that can be given another certificate: open connections stay, new ones see the new one. */
export interface ShowsCertificate {
  setSecureContext(options: SecureContextOptions): void;
}

export interface Certificate {
  /** The pair in use, and the least that is held to be safe. */
  readonly options: SecureContextOptions;
  /** The server is given each pair that comes after this one. */
  renews(server: ShowsCertificate): void;
}

/** Where a door speaks TLS, and as whom. */
export interface SecureDoor {
  /** 0 takes any free one. */
  readonly port: number;
  readonly certificate: Certificate;
}
