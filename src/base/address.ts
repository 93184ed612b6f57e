// What an address or a host name says of who can reach it. Pure; a name is not looked up.

const LOOPBACK: readonly RegExp[] = [
  /^127\.[\d.]+$/,
  /^[0:]*:0*1$/,
  /^[0:]*:ffff:(127\.[\d.]+|7f[0-9a-f]{2}:[0-9a-f]{1,4})$/,
  /^(.*\.)?localhost\.?$/,
];

/**
 * Does the host mean the machine itself? A name, or an address, IPv6 in brackets or without.
 * RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3, RFC 6761 §6.3.
 */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return LOOPBACK.some((form) => form.test(plain));
}

/** Does a door that listens there listen on every address of the machine? */
export function isAnyAddress(host: string): boolean {
  return /^(0\.0\.0\.0|[0:]+)$/.test(host);
}

/** The host of a "host:port", as it stands there. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}
