// Ports for programs that can't say which one they got.
import { createServer } from 'node:net';

/** The port that is wished for, or any other that nobody listens on just now. */
export async function freePort(wished) {
  return (await listenOn(wished)) ?? (await listenOn(0));
}

function listenOn(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });
}
