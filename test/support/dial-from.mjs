// Loaded into a node of a test cluster before its program: all connections that it makes to this machine come from an
// address of its own, 127.0.1.x, so that fault proxies can tell who dials. The node's own code is as it is.
import { Socket } from 'node:net';

const localAddress = process.env.DIAL_FROM;
const connect = Socket.prototype.connect;

Socket.prototype.connect = function connectFrom(...args) {
  // net.connect() hands over its arguments as one list, its own to change.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  const isOurs = typeof options === 'object' && options?.port !== undefined && !options.path;
  if (localAddress && isOurs && options.host === '127.0.0.1') options.localAddress ??= localAddress;
  return connect.apply(this, args);
};
