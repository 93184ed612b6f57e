// Which loopback this process has: nodes with the same id reach each other at 127.0.0.1, and no others do.
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * 16 hex digits. On Linux of the kernel's boot and the network namespace, so that containers of one host, which have
 * each a loopback of their own, differ, and so do machines that were copied. Elsewhere of the host name.
 */
export function hostId(): string {
  const place = linuxPlace() ?? hostname();
  return createHash('sha256').update(place).digest('hex').slice(0, 16);
}

function linuxPlace(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/net')}`;
  } catch {
    return undefined;
  }
}
