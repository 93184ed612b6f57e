// A replica between two upstreams that overlap: whatever they send, and in whatever order, the stream gets each frame once
// and none that is older than one that it has.
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import type { Frame, Run } from '../../../src/format/frame.ts';
import { decodeControl } from '../../../src/format/mesh/control-codec.ts';
import { isMediaMessage, readMediaMessage } from '../../../src/format/mesh/media-codec.ts';
import type { Stream } from '../../../src/media/stream.ts';
import { Intake, type Lane, MAX_HELD_BACK } from '../../../src/mesh/intake.ts';
import type { Peer } from '../../../src/mesh/peer.ts';
import { Upstream, type UpstreamListener } from '../../../src/mesh/upstream.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { hexWords, rule, type Target, wordsOf } from '../engine/target.ts';
import { outcomeOf } from './outcome.ts';

/** A step: what it does, the length of a message, the message. */
const STEP_BYTES = 3;
const STEP_MS = 60;
const FORMER_BIT = 1;
const TIME_BIT = 2;
const OVERLAP_BIT = 4;

/** Steps as an input. */
export function stepsOf(steps: readonly { readonly does: number; readonly body: Buffer }[]): Buffer {
  return Buffer.concat(
    steps.flatMap(({ does, body }) => {
      const head = Buffer.from([does, body.length >> 8, body.length & 0xff]);
      return [head, body];
    }),
  );
}

export const meshHop: Target = {
  name: 'mesh-hop',
  covers: ['src/mesh/intake.ts', 'src/mesh/gate.ts', 'src/mesh/upstream.ts'],
  maxBytes: 8 * 1024,
  words: [
    ...hexWords(
      '00 0000',
      '01 0000',
      '02 0000',
      '04 0000',
      '95 01 03 00 0a 00',
      '94 00 09 00 c4 01 17',
      '94 01 08 28 c4 02 af01',
    ),
    ...hexWords('95 02 03 00 00 00', 'cb 4330000000000000', 'cb 4330000000000001'),
    ...wordsOf('\xa4from', '\xa2to', '\xa8epochRef', '\xa5epoch'),
  ],
  run(input) {
    const replica = new Replica();
    for (let at = 0; at + STEP_BYTES <= input.length; ) {
      const does = input.readUInt8(at);
      const size = input.readUInt16BE(at + 1);
      const body = Buffer.from(input.subarray(at + STEP_BYTES, at + STEP_BYTES + size));
      at += STEP_BYTES + size;
      replica.step(does, body);
    }
    replica.end();
  },
};

class Replica {
  readonly #clock = new FakeClock();
  readonly #stream = new CheckedStream();
  readonly #intake: Intake;
  readonly #upstreams: Readonly<Record<Lane, Upstream>>;
  #overlaps = false;

  constructor() {
    this.#intake = new Intake({
      clock: this.#clock,
      stream: () => this.#stream as unknown as Stream,
      overlaps: () => this.#overlaps,
      taken: () => {
        this.#overlaps = false;
      },
      spliced: () => {},
    });
    this.#upstreams = { current: this.#upstream('current'), former: this.#upstream('former') };
  }

  step(does: number, body: Buffer): void {
    if (does & OVERLAP_BIT) this.#overlaps = true;
    if (does & TIME_BIT) this.#clock.advance(STEP_MS);
    const lane: Lane = does & FORMER_BIT && this.#overlaps ? 'former' : 'current';
    outcomeOf(() => {
      if (isMediaMessage(body)) this.#upstreams[lane].media(readMediaMessage(body));
      else this.#upstreams[lane].control(decodeControl(body));
    });
    const held = this.#intake.heldBackCount;
    rule(held <= MAX_HELD_BACK, `${held} frames are held back`);
  }

  end(): void {
    this.#intake.endOverlap();
    rule(this.#intake.heldBackCount === 0, 'frames are held back for ever');
    const { place } = this.#intake;
    const { epoch, seq } = this.#stream;
    if (epoch !== undefined) rule(place?.epoch === epoch && place.seq >= seq, 'the replica lost its place');
  }

  #upstream(lane: Lane): Upstream {
    const intake = this.#intake;
    const listener: UpstreamListener = {
      ...{ granted() {}, declined() {}, pathChanged() {}, stateChanged() {}, over() {} },
      runBegins: (_, run) => void intake.runBegins(lane, run),
      setUp: (_, run, frame) => intake.setUp(lane, run, frame),
      frame: (_, run, frame) => intake.frame(lane, run, frame),
      skipped: (_, run, toSeq) => intake.skipped(lane, run, toSeq),
    };
    const upstream = new Upstream(parseStreamKey('live', 'demo'), {} as Peer, 7, listener);
    upstream.grant({
      ...{
        is: 'ok',
        id: 7,
        ref: 3,
        epoch: 0,
        head: 0,
        oldest: 0,
        path: ['node-1'],
        state: 'live',
        msLeft: 0,
      },
    });
    return upstream;
  }
}

/** Takes what an intake gives a stream, and holds it to the order of epochs and seqs. */
class CheckedStream {
  epoch: number | undefined;
  seq = -1;

  begin({ epoch, from }: Run): void {
    const before = this.epoch ?? -1;
    rule(epoch >= before, `epoch ${epoch} began after ${before}`);
    rule(epoch > before || from > this.seq, `epoch ${epoch} began again at ${from}, after ${this.seq}`);
    this.seq = from - 1;
    this.epoch = epoch;
  }

  appendSetUp(): void {
    rule(this.epoch !== undefined, 'set-up came before the first run');
  }

  append({ seq }: Frame): void {
    rule(this.epoch !== undefined, `frame ${seq} came before the first run`);
    rule(seq > this.seq, `frame ${seq} came after ${this.seq}`);
    this.seq = seq;
  }
}
