// What nodes ask each other beside streams, over links in simulated time; and peers that answer nonsense.
import { describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import type { Control, ControlMessage } from '../../../src/format/mesh/control.ts';
import { encodeControl, MAX_CONTROL_BYTES } from '../../../src/format/mesh/control-codec.ts';
import type { Peer } from '../../../src/mesh/peer.ts';
import { ANSWER_MS, type AnswerEnd, MAX_ANSWER_BYTES, Questions } from '../../../src/mesh/questions.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { SimNet, type SimNode } from '../../support/mesh-sim.ts';

const QUERY = { kind: 'links', args: '{}', request: 'r1' };
const KIB = 1024;

function linkOf(from: SimNode, to: string) {
  const peer = from.links.get(to);
  if (!peer) throw new Error(`no link to ${to}`);
  return peer;
}

/** Asks, and writes down what comes. */
function ask(from: SimNode, to: string, query = QUERY) {
  const asked: { parts: string[]; total: number; end: AnswerEnd | undefined } = {
    parts: [],
    total: 0,
    end: undefined,
  };
  void from.questions
    .ask(linkOf(from, to), query, (rows, total) => {
      asked.parts.push(rows);
      asked.total = total;
      return true;
    })
    .then((end) => {
      asked.end = end;
    });
  return asked;
}

const rowsOf = (parts: readonly string[]) => parts.flatMap((part) => JSON.parse(part) as unknown[]);
const codeOf = (end: AnswerEnd | undefined) => (end?.is === 'failed' ? end.why.code : end?.is);
const sample = (samples: readonly { value: number; labels?: object }[], code: string) =>
  samples.find(({ labels }) => (labels as { code: string }).code === code)?.value ?? 0;

describe('between two nodes', () => {
  test('the rows come, whole and in order, in parts that fit a message', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    const asked: unknown[] = [];
    const rows = Array.from({ length: 3_000 }, (_, at) => ({ at, text: 'ä'.repeat(at % 100) }));
    b.answer = (peer, query) => {
      asked.push([peer, query]);
      return { total: 5_000, rows };
    };
    const got = ask(a, 'b');
    await net.run(100);
    expect(got.end).toEqual({ is: 'whole', total: 5_000 });
    expect(asked).toEqual([['a', QUERY]]);
    expect(rowsOf(got.parts)).toEqual(rows);
    const sizes = got.parts.map((part) => Buffer.byteLength(part));
    expect(sizes.length).toBe(Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / (40 * KIB)));
    expect([a.questions.whole, a.questions.openCount, b.answers.answered, b.answers.openCount]).toEqual([
      1, 0, 1, 0,
    ]);
    expect(a.questions.receivedBytes).toBe(b.answers.sentBytes);
  });

  test('an answer without rows is whole', async () => {
    const net = new SimNet(['a', 'b']);
    const got = ask(net.node('a'), 'b');
    await net.run(20);
    expect(got).toEqual({ parts: ['[]'], total: 0, end: { is: 'whole', total: 0 } });
  });

  test('the largest row that is sent fits a message, also of characters of three bytes; one more is left out', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    const largest = '€'.repeat((47 * KIB - 2) / 3);
    b.answer = () => ({ total: 3, rows: [largest, `${largest}€`, 'x'] });
    const got = ask(a, 'b');
    await net.run(20);
    expect(rowsOf(got.parts).map((row) => (row as string).length)).toEqual([largest.length, 1]);
    expect(got.end).toEqual({ is: 'whole', total: 3 });
    expect(b.answers.rowsLeftOut).toBe(1);
    const message = {
      is: 'reply',
      id: 2 ** 32,
      total: 2 ** 32,
      rows: `["${largest}"]`,
      last: false,
    } as const;
    expect(encodeControl(message).length).toBeLessThan(MAX_CONTROL_BYTES);
  });

  test('an answer ends at what the other takes, and says how much there is', async () => {
    const net = new SimNet(['a', 'b']);
    const row = 'x'.repeat(10_000);
    net.node('b').answer = () => ({ total: 2_000, rows: Array.from({ length: 2_000 }, () => row) });
    const got = ask(net.node('a'), 'b');
    await net.run(400);
    expect(got.end).toEqual({ is: 'whole', total: 2_000 });
    expect(rowsOf(got.parts)).toHaveLength(733);
  });

  test('who knows no such question says so; who fails at it says that, and logs it', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    b.answer = () => {
      throw new TidewayError('mesh.question', 'no such question');
    };
    const unknown = ask(a, 'b');
    await net.run(20);
    b.answer = () => {
      throw new Error('a bug');
    };
    const broken = ask(a, 'b');
    await net.run(20);
    expect([codeOf(unknown.end), codeOf(broken.end)]).toEqual(['mesh.answer-refused', 'mesh.answer-refused']);
    expect(unknown.end).toMatchObject({ why: { message: expect.stringContaining('mesh.question') } });
    expect(b.log.lines.filter(({ event }) => event === 'mesh.answer-failed')).toHaveLength(1);
    expect(b.answers.openCount).toBe(0);
  });

  test('media go first: an answer waits while much is under way, and goes on', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    const back = linkOf(b, 'a');
    back.windowBytes = 64 * KIB;
    back.sentBytes = 32 * KIB;
    b.answer = () => ({ total: 1, rows: ['x'] });
    const got = ask(a, 'b');
    await net.run(200);
    expect([got.end, got.parts]).toEqual([undefined, []]);
    back.takenBytes = 1;
    b.relay.drained(back);
    await net.run(20);
    expect(got.end).toEqual({ is: 'whole', total: 1 });
  });

  test('after half a second both sides give up, and nothing stays', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    const back = linkOf(b, 'a');
    back.windowBytes = 0;
    const got = ask(a, 'b');
    await net.run(ANSWER_MS - 10);
    expect([got.end, a.questions.openCount, b.answers.openCount]).toEqual([undefined, 1, 1]);
    await net.run(30);
    expect(codeOf(got.end)).toBe('mesh.no-answer');
    expect([a.questions.openCount, b.answers.openCount]).toEqual([0, 0]);
    expect(sample(b.answers.refused.samples(), 'mesh.answer-late')).toBe(1);
    expect(a.questions.unexpected).toBe(1);
  });

  test('four are on the way at once, the others wait for their turn', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    let most = 0;
    b.answer = () => {
      most = Math.max(most, b.answers.openCount);
      return { total: 1, rows: ['x'] };
    };
    const got = Array.from({ length: 40 }, () => ask(a, 'b'));
    await net.run(100);
    expect(got.map(({ end }) => codeOf(end))).toEqual(Array.from({ length: 40 }, () => 'whole'));
    expect(most).toBe(4);
  });

  test('beyond what may wait, a question fails at once; all of them end with the link', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    linkOf(b, 'a').windowBytes = 0;
    const got = Array.from({ length: 261 }, () => ask(a, 'b'));
    await net.run(10);
    expect(got.map(({ end }) => codeOf(end))).toEqual([
      ...Array.from({ length: 260 }, () => undefined),
      'mesh.too-many-questions',
    ]);
    linkOf(a, 'b').close();
    await net.run(10);
    expect(got.slice(0, 260).every(({ end }) => codeOf(end) === 'mesh.link-closed')).toBe(true);
    expect([a.questions.openCount, b.answers.openCount, b.slices.count]).toEqual([0, 0, 0]);
  });

  test('a question that fits no message is not sent', async () => {
    const net = new SimNet(['a', 'b']);
    const got = ask(net.node('a'), 'b', { ...QUERY, args: '€'.repeat(11_000) });
    await net.run(10);
    expect(codeOf(got.end)).toBe('mesh.question-too-large');
    expect(linkOf(net.node('a'), 'b').isOpen).toBe(true);
  });

  test('of a peer that asks without end, eight are answered at once; each of the others is told', async () => {
    const net = new SimNet(['a', 'b']);
    const [a, b] = [net.node('a'), net.node('b')];
    linkOf(b, 'a').windowBytes = 0;
    for (let id = 1; id <= 1_000; id += 1) linkOf(a, 'b').send({ is: 'query', id, ...QUERY });
    await net.run(20);
    expect(b.answers.openCount).toBe(8);
    expect(sample(b.answers.refused.samples(), 'mesh.answers-busy')).toBe(992);
    await net.run(ANSWER_MS);
    expect([b.answers.openCount, b.slices.count]).toEqual([0, 0]);
  });
});

describe('a peer that answers', () => {
  const clock = new FakeClock();
  const said: ControlMessage[] = [];
  const peer = { node: 'p', send: (message: ControlMessage) => said.push(message) } as unknown as Peer;

  /** A question that the peer got, and what comes of it. */
  async function asked(take: (rows: string) => boolean = () => true) {
    const questions = new Questions({ clock });
    questions.opened(peer);
    said.length = 0;
    const got = { parts: 0, end: undefined as AnswerEnd | undefined };
    void questions
      .ask(peer, QUERY, (rows) => {
        got.parts += 1;
        return take(rows);
      })
      .then((end) => {
        got.end = end;
      });
    const { id } = said[0] as Control<'query'>;
    const reply = async (rows: string, last = false) => {
      questions.control(peer, { is: 'reply', id, total: 1, rows, last });
      await Promise.resolve();
    };
    return { questions, got, id, reply };
  }

  test('in parts that are too many or too large has not answered', async () => {
    for (const part of [`[${' '.repeat(40_000)}]`, '[]']) {
      const { questions, got, reply } = await asked();
      let parts = 0;
      while (!got.end && parts < 200_000) {
        await reply(part);
        parts += 1;
      }
      expect(codeOf(got.end)).toBe('mesh.answer-too-large');
      expect(parts).toBe(Math.ceil((MAX_ANSWER_BYTES + 1) / (Buffer.byteLength(part) + 64)));
      await reply(part);
      expect([got.parts, questions.unexpected]).toEqual([parts - 1, 1]);
    }
  });

  test('with what is no row has not answered, and the next question is', async () => {
    const { got, reply } = await asked((rows) => rows === '[1]');
    await reply('[1]');
    await reply('[2]');
    expect([codeOf(got.end), got.parts]).toEqual(['mesh.answer-form', 2]);
  });

  test('a little at a time has not answered after half a second', async () => {
    const { questions, got, reply } = await asked();
    for (let ms = 0; ms < ANSWER_MS; ms += 10) {
      await reply('[]');
      clock.advance(10);
    }
    await reply('[]');
    expect([codeOf(got.end), got.parts, questions.unexpected]).toEqual(['mesh.no-answer', 50, 1]);
  });

  test('another question, or none, is not heard', async () => {
    const { questions, got, id } = await asked();
    for (const other of [0, id + 1, 2 ** 32]) {
      questions.control(peer, { is: 'reply', id: other, total: 1, rows: '[]', last: true });
      questions.control(peer, { is: 'noreply', id: other, why: { code: 'x.y', message: '' } });
    }
    questions.control({} as Peer, { is: 'reply', id, total: 1, rows: '[]', last: true });
    await Promise.resolve();
    expect([got.end, got.parts, questions.unexpected]).toEqual([undefined, 0, 7]);
  });

  test('with reasons of its own making makes no label of them', async () => {
    const { questions, id } = await asked();
    questions.control(peer, { is: 'noreply', id, why: { code: 'evil', message: 'evil' } });
    expect(questions.failed.samples()).toEqual([{ value: 1, labels: { code: 'mesh.answer-refused' } }]);
  });
});
