// TLS under a link: what both ends know of their connection and nobody between them does, and for which node the peer's
// certificate is good. Who the peer is, the handshake finds out (handshake.ts).
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificate } from '../base/certificate.ts';
import { type Channel, PLAIN } from './handshake.ts';

/** How nodes speak TLS to each other. */
export interface MeshTls {
  /** This node's own, with those that other nodes' have to be signed by. */
  readonly certificate: Certificate;
  /** Is a certificate good for any node of the cluster, or for those alone that it names (DNS: and the id)? */
  readonly names: 'any' | 'node';
}

const LABEL = 'EXPORTER-tideway.1';
const BINDING_BYTES = 32;
const EXACT = { subject: 'never', wildcards: false } as const;

/** @param socket of a connection whose TLS handshake is done */
export function channelOf(socket: Socket, tls: MeshTls | undefined): Channel {
  if (!tls || !(socket instanceof TLSSocket)) return PLAIN;
  // One that is gone has no keys any more; its handshake won't get far.
  if (socket.destroyed) return { binding: 'gone', mayBe: () => false };
  const binding = socket.exportKeyingMaterial(BINDING_BYTES, LABEL, Buffer.alloc(0)).toString('hex');
  const certificate = socket.getPeerX509Certificate();
  const isNamed = (node: string) =>
    // A dot in front would stand for any name behind it.
    !node.startsWith('.') && certificate?.checkHost(node, EXACT) !== undefined;
  return { binding, mayBe: tls.names === 'any' ? PLAIN.mayBe : isNamed };
}
