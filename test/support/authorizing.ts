// Authorizers for tests that are about something else.
import { Authorizer } from '../../src/auth/authorizer.ts';

/** Lets everybody in, or with a secret those publish who give it. */
export function authorizerOf(publishSecret?: string): Authorizer {
  return new Authorizer({ publishSecret, maxAheadS: 3_600 }, { wallMs: () => 0 });
}
