// Where the cluster is told to reach this node: what is configured, else what the node can know by itself. Pure.
import { hostOf, isAnyAddress, isLoopback, isSecure, plainAddress } from '../base/address.ts';
import type { Reason } from '../base/errors.ts';
import type { NodeRecord } from '../registry/registry.ts';

/** What the operator said; each "host:port", those of rtmp and http with a scheme or without. */
export interface AdvertisedOptions {
  /** Where the doors listen. */
  readonly host: string;
  readonly mesh: readonly string[] | undefined;
  readonly rtmp: string | undefined;
  readonly http: string | undefined;
}

/** Where the doors listen; 0 for one that is shut. */
export interface DoorPorts {
  readonly meshPort: number;
  readonly rtmpPort: number;
  readonly rtmpsPort: number;
  readonly httpPort: number;
  readonly httpsPort: number;
}

export type Advertised = Pick<NodeRecord, 'mesh' | 'rtmp' | 'http'>;

/**
 * What goes into the node's record: for a door that is open the configured address, else that of `host`; where the doors
 * listen everywhere, the address that this machine has towards the registry, so that containers peer unconfigured. A door
 * that is open with TLS and without is told of as the one without, unless the operator says: the certificate need not
 * hold for an address.
 * @param localAddress towards the registry; undefined if that is not known
 */
export function advertised(
  options: AdvertisedOptions,
  localAddress: string | undefined,
  { meshPort, rtmpPort, rtmpsPort, httpPort, httpsPort }: DoorPorts,
): Advertised {
  const host = isAnyAddress(options.host) ? localAddress : options.host;
  const at = (port: number) => (host === undefined || port === 0 ? '' : `${hostText(host)}:${port}`);
  const door = (told: string | undefined, scheme: string, plain: number, secure: number) => {
    if (plain === 0 && secure === 0) return '';
    if (told !== undefined) return withoutPlainScheme(told);
    if (plain !== 0 || host === undefined) return at(plain);
    return `${scheme}://${at(secure)}`;
  };
  const mesh = meshPort === 0 ? [] : (options.mesh ?? [at(meshPort)]);
  return {
    mesh: mesh.filter((address) => address !== ''),
    rtmp: door(options.rtmp, 'rtmps', rtmpPort, rtmpsPort),
    http: door(options.http, 'https', httpPort, httpsPort),
  };
}

/** As nodes are told: one without TLS has no scheme, which nodes before 0.2 take for no address. */
export function withoutPlainScheme(address: string): string {
  return isSecure(address) ? address : plainAddress(address);
}

/**
 * Why other nodes can't reach this one: it tells them of its loopback, and one of them has another.
 * @param host the host id of this node
 */
export function loopbackProblem(
  { mesh, rtmp, http }: Advertised,
  host: string,
  others: readonly Pick<NodeRecord, 'node' | 'host'>[],
): Reason | undefined {
  const [loopback] = [...mesh, rtmp, http].filter((address) => isLoopback(hostOf(address)));
  const far = others.find((other) => other.host !== host);
  if (loopback === undefined || !far) return undefined;
  const how =
    'set mesh.advertise, rtmp.advertise and http.advertise, or reach the registry by another address';
  return {
    code: 'node.loopback-advertised',
    message: `${loopback} is what the cluster is told, and node ${far.node} on another host can't reach it: ${how}`,
  };
}

/** As it is written before a port: IPv4 in IPv6 as IPv4, IPv6 in brackets, without the name of an interface. */
function hostText(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
  return plain.includes(':') ? `[${plain}]` : plain;
}
