// For programs that can't say which port they got.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

const LOOPBACK = '127.0.0.1';

/** A TCP port of this address that nobody listens on now. */
export async function freePort(host = LOOPBACK): Promise<number> {
  const [port = 0] = await freePorts(1, host);
  return port;
}

/** So many of them, no two the same. */
export async function freePorts(count: number, host = LOOPBACK): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, host));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
