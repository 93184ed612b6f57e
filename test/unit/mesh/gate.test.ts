import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Gate } from '../../../src/mesh/gate.ts';

function gateAt(epoch: number, seq: number): Gate {
  const gate = new Gate();
  gate.enter({ epoch, from: seq + 1 });
  return gate;
}

test.each([
  ['the first run ever', undefined, { epoch: 5, from: 900 }, 'splice'],
  ['a higher epoch', [5, 10], { epoch: 6, from: 1 }, 'splice'],
  ['a lower epoch', [5, 10], { epoch: 4, from: 11 }, 'fenced'],
  ['the next frame', [5, 10], { epoch: 5, from: 11 }, 'goes-on'],
  ['frames that are here already', [5, 10], { epoch: 5, from: 3 }, 'goes-on'],
  ['frames are missing before it', [5, 10], { epoch: 5, from: 12 }, 'gap'],
] as const)('a run is judged: %s', (_what, at, run, verdict) => {
  const gate = at ? gateAt(at[0], at[1]) : new Gate();
  expect(gate.judge(run)).toBe(verdict);
});

test('a run that goes on moves nothing: what was delivered is not delivered again', () => {
  const gate = gateAt(5, 10);
  gate.enter({ epoch: 5, from: 3 });
  expect([9, 10, 11, 11, 12].map((seq) => gate.pass(5, seq))).toEqual([false, false, true, false, true]);
});

test('what was skipped is not waited for, and not taken afterwards', () => {
  const gate = gateAt(5, 10);
  gate.skip(5, 14);
  expect(gate.place).toEqual({ epoch: 5, seq: 14 });
  expect(gate.pass(5, 12)).toBe(false);
  expect(gate.pass(5, 15)).toBe(true);
  gate.skip(5, 3);
  gate.skip(4, 100);
  expect(gate.place).toEqual({ epoch: 5, seq: 15 });
});

test('frames of another epoch than the one entered do not pass', () => {
  const gate = gateAt(5, 10);
  expect(gate.pass(4, 11)).toBe(false);
  expect(gate.pass(6, 11)).toBe(false);
});

test('whatever two upstreams send, places only rise and no seq passes twice', () => {
  const event = fc.oneof(
    fc.record({ is: fc.constant('run' as const), epoch: fc.nat(3), from: fc.nat(20) }),
    fc.record({ is: fc.constant('frame' as const), epoch: fc.nat(3), seq: fc.nat(20) }),
    fc.record({ is: fc.constant('skip' as const), epoch: fc.nat(3), to: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const gate = new Gate();
      const passed: string[] = [];
      let last = { epoch: 0, seq: -1 };
      for (const one of events) {
        if (one.is === 'run' && gate.judge(one) !== 'fenced') gate.enter(one);
        if (one.is === 'skip') gate.skip(one.epoch, one.to);
        if (one.is === 'frame' && gate.pass(one.epoch, one.seq)) passed.push(`${one.epoch}/${one.seq}`);
        const place = gate.place ?? last;
        expect(place.epoch > last.epoch || (place.epoch === last.epoch && place.seq >= last.seq)).toBe(true);
        last = place;
      }
      expect(new Set(passed).size).toBe(passed.length);
    }),
  );
});
