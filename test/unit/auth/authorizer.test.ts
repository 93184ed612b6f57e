import { describe, expect, test } from 'vitest';
import { Authorizer } from '../../../src/auth/authorizer.ts';
import { TidewayError } from '../../../src/base/errors.ts';

function refusal(authorizer: Authorizer, query: string): TidewayError | undefined {
  try {
    authorizer.checkPublish(new URLSearchParams(query));
    return undefined;
  } catch (error) {
    if (error instanceof TidewayError) return error;
    throw error;
  }
}

describe('an authorizer', () => {
  test('without a secret lets everyone publish, and says that it guards nothing', () => {
    const authorizer = new Authorizer({ publishSecret: undefined });
    expect(authorizer.guardsPublish).toBe(false);
    expect(refusal(authorizer, '')).toBe(undefined);
    expect(refusal(authorizer, 'key=whatever')).toBe(undefined);
  });

  test('with a secret lets those publish who give exactly it', () => {
    const authorizer = new Authorizer({ publishSecret: 'Grüße & mehr' });
    expect(authorizer.guardsPublish).toBe(true);
    expect(refusal(authorizer, `vhost=x&key=${encodeURIComponent('Grüße & mehr')}`)).toBe(undefined);
    for (const query of [
      '',
      'key=',
      'key=Gr',
      'key=grüße+%26+mehr',
      'secret=Grüße',
      `key=${'x'.repeat(10_000)}`,
    ]) {
      expect(refusal(authorizer, query)?.code).toBe('publish.denied');
    }
  });

  test('tells who gave none what to append, and never repeats a secret, given or wanted', () => {
    const authorizer = new Authorizer({ publishSecret: 'wanted-secret' });
    expect(refusal(authorizer, '')?.message).toContain('?key=');
    const wrong = refusal(authorizer, 'key=given-secret');
    expect(wrong?.message).not.toBe(refusal(authorizer, '')?.message);
    expect(JSON.stringify([wrong?.message, wrong?.fields])).not.toMatch(/given|wanted/);
    expect(JSON.stringify(authorizer)).not.toContain('wanted');
  });
});
