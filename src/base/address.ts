// What an address or a host name says of who can reach it. Pure; a name is not looked up.

const LOOPBACK: readonly RegExp[] = [
  /^127\.[\d.]+$/,
  /^[0:]*:0*1$/,
  /^[0:]*:ffff:(127\.[\d.]+|7f[0-9a-f]{2}:[0-9a-f]{1,4})$/,
  /^(.*\.)?localhost\.?$/,
];

const PRIVATE: readonly RegExp[] = [
  /^(10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))(\.\d{1,3}){2,3}$/,
  /^f[cd][0-9a-f]{2}:/,
  /^fe[89ab][0-9a-f]:/,
];

/**
 * Does the host mean the machine itself? A name, or an address, IPv6 in brackets or without.
 * RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3, RFC 6761 §6.3.
 */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return LOOPBACK.some((form) => form.test(plain));
}

/**
 * Is it an address of a network of one's own, or of one link? RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6.
 * A name is none.
 */
export function isPrivate(host: string): boolean {
  const plain = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return PRIVATE.some((form) => form.test(plain.replace(/^::ffff:(?=[\d.]+$)/, '')));
}

/** Does a door that listens there listen on every address of the machine? */
export function isAnyAddress(host: string): boolean {
  return /^(0\.0\.0\.0|[0:]+)$/.test(host);
}

/** The host of a "host:port", as it stands there; a scheme in front of it is passed over. */
export function hostOf(address: string): string {
  const plain = plainAddress(address);
  return plain.slice(0, plain.lastIndexOf(':'));
}

/** Does the door at the address speak TLS? `https://host:port` and `rtmps://host:port` do, `host:port` does not. */
export function isSecure(address: string): boolean {
  return /^(http|rtmp)s:\/\//.test(address);
}

/** The address without its scheme: "host:port". */
export function plainAddress(address: string): string {
  return address.replace(/^[a-z]+:\/\//, '');
}
