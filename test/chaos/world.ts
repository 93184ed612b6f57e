// What is so in the world, as the one who does the faults knows it: who runs, who stands still, who reaches whom. Pure: it is
// told, and tells.

export class World {
  readonly #nodes: readonly string[];
  /** How many faults keep a node from working: killed, paused, stalled. */
  readonly #idle = new Map<string, number>();
  readonly #down = new Set<string>();
  readonly #deaths = new Map<string, number>();
  /** How many faults cut a pair, by `pairOf`. */
  readonly #cuts = new Map<string, number>();

  /** Of nodes that were without a registry that knows all: faults that last, and when the last one was over, ms. */
  readonly #unregistered = new Map<string, { faults: number; untilMs: number }>();

  constructor(nodes: readonly string[]) {
    this.#nodes = nodes;
  }

  /** It does not exist: it was killed, and does not listen again yet. */
  isDown(node: string): boolean {
    return this.#down.has(node);
  }

  /** Times that it was killed. */
  deaths(node: string): number {
    return this.#deaths.get(node) ?? 0;
  }

  /** It is neither killed nor standing still. */
  works(node: string): boolean {
    return !this.#down.has(node) && (this.#idle.get(node) ?? 0) === 0;
  }

  reaches(one: string, other: string): boolean {
    return (this.#cuts.get(pairOf(one, other)) ?? 0) === 0;
  }

  /** Something begins that keeps a node from working; the answer is called when it is over. */
  idle(node: string): () => void {
    return this.#count(this.#idle, node);
  }

  /** Was there a fault between the node and the registry, or of the registry, at this time or after it? */
  lackedRegistry(node: string, sinceMs: number): boolean {
    const lack = this.#unregistered.get(node);
    return lack !== undefined && (lack.faults > 0 || lack.untilMs >= sinceMs);
  }

  /** Nodes lose sight of the registry, or it forgets; the answer is called with the time when that is over. */
  loseRegistry(nodes: readonly string[]): (nowMs: number) => void {
    const lacks = nodes.map((node) => {
      const lack = this.#unregistered.get(node) ?? { faults: 0, untilMs: 0 };
      this.#unregistered.set(node, lack);
      lack.faults += 1;
      return lack;
    });
    return (nowMs) => {
      for (const lack of lacks) {
        lack.faults -= 1;
        lack.untilMs = nowMs;
      }
    };
  }

  /** It is killed; the answer is called when it listens again. */
  down(node: string): () => void {
    this.#down.add(node);
    this.#deaths.set(node, this.deaths(node) + 1);
    return () => this.#down.delete(node);
  }

  /** Nothing passes between them; the answer is called when this cut is over. */
  cut(one: string, other: string): () => void {
    return this.#count(this.#cuts, pairOf(one, other));
  }

  /**
   * Is there a way for a stream between two nodes that work?
   * @param relays who has the stream, and can pass it on
   */
  hasWay(from: string, to: string, relays: (node: string) => boolean): boolean {
    if (!this.works(from) || !this.works(to)) return false;
    const seen = new Set([from]);
    const next = [from];
    for (let node = next.pop(); node !== undefined; node = next.pop()) {
      if (node === to) return true;
      if (node !== from && !relays(node)) continue;
      for (const other of this.#nodes) {
        if (seen.has(other) || !this.works(other) || !this.reaches(node, other)) continue;
        seen.add(other);
        next.push(other);
      }
    }
    return false;
  }

  #count(counts: Map<string, number>, name: string): () => void {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return () => counts.set(name, (counts.get(name) ?? 1) - 1);
  }
}

function pairOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
