// Which connections to a server the kernel still counts as open, from the server's end. Reads /proc/net/tcp; no socket.
import { readFileSync } from 'node:fs';

const ESTABLISHED = '01';

/** `127.0.0.11:40000` for each peer of connections that the server at this port has not closed. */
export function establishedPorts(serverPort: number): Set<string> {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFileSync(path, 'latin1'));
  return new Set(tables.flatMap((table) => peersOf(table, serverPort)));
}

/** @param table as proc_net_tcp(5) has it: hexadecimal; IPv4 addresses in the machine's order, mapped or not */
export function peersOf(table: string, serverPort: number): string[] {
  const peers: string[] = [];
  for (const line of table.split('\n').slice(1)) {
    const [, local = '', remote = '', state] = line.trim().split(/\s+/);
    if (state !== ESTABLISHED || portOf(local) !== serverPort) continue;
    const ip = remote.slice(0, remote.indexOf(':')).slice(-8);
    const address = [6, 4, 2, 0].map((at) => Number.parseInt(ip.slice(at, at + 2), 16)).join('.');
    peers.push(`${address}:${portOf(remote)}`);
  }
  return peers;
}

function portOf(endpoint: string): number {
  return Number.parseInt(endpoint.slice(endpoint.indexOf(':') + 1), 16);
}
