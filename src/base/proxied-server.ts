// Puts the reading of a PROXY header before what a server does with a connection, where that comes from a listed proxy. Bounded
// in time and bytes; what came behind the header goes on to the server.
import type { Server, Socket } from 'node:net';
import type { Clock, Timer } from './clock.ts';
import { TidewayError } from './errors.ts';
import type { Proxies } from './proxies.ts';
import { type Peer, tellPeer, type Waiting } from './remote.ts';

/** Of format/proxy-header.ts. */
export interface HeaderReader {
  push(
    bytes: Buffer,
  ):
    | { readonly is: 'more' }
    | { readonly is: 'none'; readonly bytes: Buffer }
    | { readonly is: 'header'; readonly peer: Peer | undefined; readonly rest: Buffer };
}

export interface ProxiedServerNeeds {
  readonly clock: Clock;
  readonly proxies: Proxies;
  readonly newReader: () => HeaderReader;
  /** May the header of one more be read? Who may not was ended by who is asked; without it, all may. */
  readonly admits?: ((socket: Socket) => boolean) | undefined;
  /** `proxy.header`, `proxy.missing`, `proxy.timeout`, or it was ended. The socket is gone. */
  readonly refused: (why: TidewayError, socket: Socket) => void;
}

interface Reading {
  readonly sinceMs: number;
  readonly deadline: Timer;
  readonly refuse: (why: TidewayError) => void;
}

/** From the connection to the end of the header. */
const HEADER_MS = 5_000;

export class ProxiedServer {
  readonly #needs: ProxiedServerNeeds;
  /** Connections whose header is read; bounded by the server's maxConnections, or by the door, which admits them. */
  readonly #reading = new Map<Socket, Reading>();

  /** @param server with all its listeners of `connection`: they are called once the header was read */
  constructor(server: Server, needs: ProxiedServerNeeds) {
    this.#needs = needs;
    if (needs.proxies.protocol === 'off') return;
    const listeners = server.listeners('connection');
    const pass = (socket: Socket) => {
      for (const listener of listeners) listener.call(server, socket);
    };
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      if (!needs.proxies.has(socket.remoteAddress)) pass(socket);
      else if (needs.admits?.(socket) ?? true) this.#read(socket, pass);
    });
  }

  get size(): number {
    return this.#reading.size;
  }

  /** The one whose header is read for longest. */
  get longest(): Waiting | undefined {
    for (const { sinceMs, refuse } of this.#reading.values()) {
      return { sinceMs, end: ({ code, message }) => refuse(new TidewayError(code, message)) };
    }
    return undefined;
  }

  /** Ends those whose header is read. */
  stop(): void {
    for (const socket of [...this.#reading.keys()]) socket.destroy();
  }

  #read(socket: Socket, pass: (socket: Socket) => void): void {
    const { clock, newReader, proxies, refused } = this.#needs;
    const reader = newReader();
    const settle = () => {
      this.#reading.get(socket)?.deadline.cancel();
      this.#reading.delete(socket);
      socket.off('readable', readable);
      socket.off('close', settle);
      socket.off('end', ended);
    };
    const refuse = (why: TidewayError) => {
      settle();
      socket.on('error', () => {}); // of what still comes, nobody needs to know
      refused(why, socket);
      socket.destroy();
    };
    const goOn = (rest: Buffer) => {
      settle();
      socket.off('error', failed);
      if (rest.length > 0) socket.unshift(rest);
      pass(socket);
    };
    const take = (bytes: Buffer): 'more' | 'done' => {
      const header = reader.push(bytes);
      switch (header.is) {
        case 'more':
          return 'more';
        case 'none':
          if (proxies.protocol === 'require') throw missing();
          goOn(header.bytes);
          return 'done';
        case 'header': {
          const { remoteAddress = '', remotePort = 0 } = socket;
          tellPeer(socket, header.peer ?? { address: remoteAddress, port: remotePort });
          goOn(header.rest);
          return 'done';
        }
      }
    };
    const readable = () => {
      try {
        for (;;) {
          const bytes: Buffer | null = socket.read();
          if (bytes === null || take(bytes) === 'done') return;
        }
      } catch (error) {
        refuse(error instanceof TidewayError ? error : missing());
      }
    };
    const ended = () => socket.destroy();
    const failed = () => {}; // 'close' follows
    const deadline = clock.after(HEADER_MS, () => {
      refuse(new TidewayError('proxy.timeout', `no PROXY header came within ${HEADER_MS} ms`));
    });
    this.#reading.set(socket, { sinceMs: clock.now(), deadline, refuse });
    socket.on('readable', readable);
    socket.on('end', ended);
    socket.on('error', failed);
    socket.on('close', settle);
  }
}

function missing(): TidewayError {
  return new TidewayError('proxy.missing', 'a proxy that has to say whom it speaks for did not');
}
