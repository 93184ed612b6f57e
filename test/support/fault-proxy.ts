// A TCP proxy that does to connections what networks do: delay, split, throttle, stall, swallow, cut and refuse them.
// Faults are set for each direction, and apart for each address that dials. It reads nothing of what it passes on.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Flow, Pipe, PLAIN_FLOW } from './fault-pipe.ts';

/** Which way bytes go: from who dialled to the target, or back. */
export type Direction = 'out' | 'back';

/** Which bytes a fault is for; what is left out is all. */
export interface Where {
  readonly direction?: Direction;
  /** The address that dialled, `127.0.1.3`. */
  readonly from?: string;
}

const DIRECTIONS: readonly Direction[] = ['out', 'back'];

export interface FaultProxyOptions {
  /** Port of 127.0.0.1 that it passes connections on to; may be told later, then those that come wait. */
  readonly targetPort?: number;
  /** In 0..1; for jitter. */
  readonly random?: () => number;
}

export class FaultProxy implements AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
  #targetPort: number | undefined;
  #server: Server;
  readonly #random: () => number;
  readonly #connections = new Set<Connection>();
  /** What was set for all, and by `Where.from` for one. */
  readonly #faults = new Map<string | undefined, Record<Direction, Partial<Flow>>>();
  /** Addresses whose connections are reset as they come. */
  readonly #turnedAway = new Set<string>();
  #accepted = 0;

  private constructor(server: Server, { targetPort, random = Math.random }: FaultProxyOptions) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.#targetPort = targetPort;
    this.#random = random;
    this.#serve(server);
  }

  static async start(options: FaultProxyOptions = {}): Promise<FaultProxy> {
    return new FaultProxy(await listen(0), options);
  }

  /** Connections that are open at least on one side. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Connections that ever came. */
  get accepted(): number {
    return this.#accepted;
  }

  /** The ports that the open connections come from, as the target sees them. */
  get targetSidePorts(): readonly number[] {
    return [...this.#connections].flatMap(({ targetSidePort }) => targetSidePort ?? []);
  }

  /** Where new connections go from now on; those that waited for a target go there, too. */
  target(port: number): void {
    this.#targetPort = port;
    for (const connection of this.#connections) connection.update();
  }

  /** Sets some of what happens to bytes, and leaves the rest as it was set. */
  shape(flow: Partial<Flow>, { direction, from }: Where = {}): void {
    const set = this.#faults.get(from) ?? { out: {}, back: {} };
    this.#faults.set(from, set);
    for (const each of direction ? [direction] : DIRECTIONS) set[each] = { ...set[each], ...flow };
    for (const connection of this.#connections) connection.update();
  }

  /** No byte passes; all connections stay open, and new ones are accepted and hear nothing. */
  blackhole(where: Where = {}, how: 'stall' | 'swallow' = 'stall'): void {
    this.shape({ is: how }, where);
  }

  /** Takes back what was set: all, or what was set for one address. */
  heal(from?: string): void {
    if (from === undefined) {
      this.#faults.clear();
      this.#turnedAway.clear();
    } else {
      this.#faults.delete(from);
      this.#turnedAway.delete(from);
    }
    for (const connection of [...this.#connections]) connection.heal();
  }

  /** Resets all connections, on both sides. */
  cut(): void {
    for (const connection of [...this.#connections]) connection.cut();
  }

  /** Resets the connections of one address, and new ones as they come, until `heal`. */
  turnAway(from: string): void {
    this.#turnedAway.add(from);
    for (const connection of [...this.#connections]) if (connection.from === from) connection.cut();
  }

  /** Refuses new connections; those that are open stay. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close(); // its event waits for all connections; the port is free at once
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Accepts connections again, on the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    this.#server = await listen(this.port);
    this.#serve(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
    this.cut();
  }

  #serve(server: Server): void {
    server.on('connection', (near: Socket) => {
      this.#accepted += 1;
      const from = near.remoteAddress; // a closed socket does not know it any more
      if (from !== undefined && this.#turnedAway.has(from)) {
        near.on('error', () => {});
        near.resetAndDestroy();
        return;
      }
      const connection: Connection = new Connection(near, from, {
        flowOf: (direction) => this.#flowOf(from, direction),
        targetPort: () => this.#targetPort,
        random: this.#random,
        closed: () => this.#connections.delete(connection),
      });
      this.#connections.add(connection);
      connection.update();
    });
  }

  #flowOf(from: string | undefined, direction: Direction): Flow {
    return {
      ...PLAIN_FLOW,
      ...this.#faults.get(undefined)?.[direction],
      ...(from !== undefined && this.#faults.get(from)?.[direction]),
    };
  }
}

interface ConnectionNeeds {
  flowOf(direction: Direction): Flow;
  targetPort(): number | undefined;
  readonly random: () => number;
  closed(): void;
}

/** One proxied connection: the near socket, which dialled, the far one once it may be dialled, and two pipes. */
class Connection {
  /** The address that dialled. */
  readonly from: string | undefined;
  readonly #near: Socket;
  readonly #needs: ConnectionNeeds;
  #far: Socket | undefined;
  #out: Pipe | undefined;
  #back: Pipe | undefined;
  #open = 1;

  constructor(near: Socket, from: string | undefined, needs: ConnectionNeeds) {
    this.from = from;
    this.#near = near;
    this.#needs = needs;
    near.pause();
    near.setNoDelay(true);
    near.on('error', () => {}); // 'close' follows
    near.on('close', () => this.#closed());
  }

  get targetSidePort(): number | undefined {
    return this.#far?.localPort;
  }

  /** Does what the faults of the moment say. */
  update(): void {
    const out = this.#needs.flowOf('out');
    if (!this.#far && out.is === 'pass') this.#dial();
    this.#out?.follow(out);
    this.#back?.follow(this.#needs.flowOf('back'));
  }

  heal(): void {
    if (this.#out?.hasHole || this.#back?.hasHole) this.cut();
    else this.update();
  }

  cut(): void {
    for (const socket of [this.#near, this.#far]) if (socket && !socket.destroyed) socket.resetAndDestroy();
  }

  #dial(): void {
    const port = this.#needs.targetPort();
    if (port === undefined || this.#near.destroyed) return;
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    this.#far = far;
    this.#open += 1;
    far.pause();
    far.on('error', () => {}); // 'close' follows
    far.on('close', () => this.#closed());
    this.#out = new Pipe(this.#near, far, this.#needs.random);
    this.#back = new Pipe(far, this.#near, this.#needs.random);
  }

  #closed(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#needs.closed();
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true });
  server.listen({ port, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return server;
}
