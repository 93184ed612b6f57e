import { describe, expect, test } from 'vitest';
import { Closer } from '../../../src/node/lifecycle.ts';

const WHY = { code: 'test.why', message: 'because' };

function tracked(): { closer: Closer; closed: string[]; add: (name: string, error?: Error) => void } {
  const closer = new Closer();
  const closed: string[] = [];
  return {
    closer,
    closed,
    add: (name, error) =>
      closer.add(async (why) => {
        await Promise.resolve();
        closed.push(`${name} ${why.code}`);
        if (error) throw error;
      }),
  };
}

describe('a closer', () => {
  test('closes the last first, one after the other, each told why', async () => {
    const { closer, closed, add } = tracked();
    add('first');
    add('second');
    closer.add(({ code }) => void closed.push(`sync ${code}`));
    await closer.close(WHY);
    expect(closed).toEqual(['sync test.why', 'second test.why', 'first test.why']);
  });

  test('closes once: the reason of the first call counts, and all calls wait for the same end', async () => {
    const { closer, closed, add } = tracked();
    add('only');
    const [first, second] = [closer.close(WHY), closer.close({ code: 'test.other', message: '' })];
    expect(second).toBe(first);
    await Promise.all([first, second]);
    await closer.close(WHY);
    expect(closed).toEqual(['only test.why']);
  });

  test('closes everything although some fail, and throws the first error', async () => {
    const { closer, closed, add } = tracked();
    add('first', new Error('error of the first'));
    add('second');
    closer.add(() => {
      throw new Error('error of the third');
    });
    await expect(closer.close(WHY)).rejects.toThrow('error of the third');
    expect(closed).toEqual(['second test.why', 'first test.why']);
    await expect(closer.close(WHY)).rejects.toThrow('error of the third');
  });

  test('closes what is open when a start throws half way', async () => {
    const { closer, closed, add } = tracked();
    const start = async () => {
      await using opened = closer;
      add('opened');
      throw new Error(`busy port, ${typeof opened}`);
    };
    await expect(start()).rejects.toThrow('busy port');
    expect(closed).toEqual(['opened lifecycle.start-failed']);
  });

  test('that was moved closes nothing; the new owner does', async () => {
    const { closer, closed, add } = tracked();
    const start = async () => {
      await using opened = closer;
      add('opened');
      return opened.move();
    };
    const owner = await start();
    expect(closed).toEqual([]);
    await closer.close(WHY);
    expect(closed).toEqual([]);
    await owner.close(WHY);
    expect(closed).toEqual(['opened test.why']);
  });
});
