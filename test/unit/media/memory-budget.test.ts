import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MEMORY_KINDS, MemoryBudget } from '../../../src/media/memory-budget.ts';

const LIMIT = 1000;

/** The four, in the order in which they begin. */
function givingWay({ refusesJoins, closesSlow, isOver, isExhausted }: MemoryBudget): boolean[] {
  return [refusesJoins, closesSlow, isOver, isExhausted];
}

test('what gives way comes one after the other: new joins, slow players, log depth, the newest GOP', () => {
  const budget = new MemoryBudget(LIMIT);
  const holder = budget.charge('log');
  const firstAt: number[] = [];
  for (let bytes = 0; bytes <= 1300; bytes += 1) {
    holder.hold(bytes);
    if (budget.stage > firstAt.length) firstAt.push(bytes);
    expect(givingWay(budget)).toEqual([1, 2, 3, 4].map((stage) => stage <= budget.stage));
  }
  expect(firstAt).toEqual([851, 921, 1001, 1251]);
});

test('joins are refused until there is some room again; all else ends where it began', () => {
  const budget = new MemoryBudget(LIMIT);
  const holder = budget.charge('log');
  const at = (bytes: number) => {
    holder.hold(bytes);
    return budget.stage;
  };
  expect([850, 1251, 1250, 1000, 920, 850, 800, 799].map(at)).toEqual([0, 4, 3, 2, 1, 1, 1, 0]);
  expect([850, 800].map(at), 'it was not over since').toEqual([0, 0]);
});

test('whatever is taken and given, it is the sum of what its holders have, by kind', () => {
  const move = fc.record({
    holder: fc.nat(9),
    verb: fc.constantFrom('take', 'give', 'hold'),
    bytes: fc.nat(400),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 200 }), (moves) => {
      const budget = new MemoryBudget(LIMIT);
      const kindOf = (at: number) => MEMORY_KINDS[at % MEMORY_KINDS.length] ?? 'log';
      const held = Array.from({ length: 10 }, (_, at) => ({
        kind: kindOf(at),
        charge: budget.charge(kindOf(at)),
        bytes: 0,
      }));
      let refused = false;
      for (const { holder, verb, bytes } of moves) {
        const one = held[holder];
        if (!one) continue;
        const moved = verb === 'give' ? Math.min(bytes, one.bytes) : bytes;
        one.charge[verb](moved);
        one.bytes = verb === 'hold' ? moved : one.bytes + (verb === 'take' ? moved : -moved);
        const used = held.reduce((sum, each) => sum + each.bytes, 0);
        refused = used > 850 || (refused && used >= 800);
        expect(one.charge.bytes).toBe(one.bytes);
        expect(budget.usedBytes).toBe(used);
        expect(givingWay(budget)).toEqual([refused, used > 920, used > 1000, used > 1250]);
        expect(MEMORY_KINDS.map((kind) => budget.bytesOf(kind))).toEqual(
          MEMORY_KINDS.map((kind) =>
            held.filter((each) => each.kind === kind).reduce((sum, each) => sum + each.bytes, 0),
          ),
        );
      }
      for (const { charge } of held) charge.hold(0);
      expect([budget.usedBytes, budget.stage]).toEqual([0, 0]);
      expect(MEMORY_KINDS.map((kind) => budget.bytesOf(kind))).toEqual(MEMORY_KINDS.map(() => 0));
    }),
  );
});
