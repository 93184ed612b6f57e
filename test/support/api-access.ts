// Who may ask an API that a test serves.
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type AccessRules, ApiAccess } from '../../src/http/api-access.ts';

/** By such rules; what is not said is as by default, but for how often one may ask. */
export function accessBy(rules: Partial<AccessRules> = {}, clock: Clock = systemClock): ApiAccess {
  const all: AccessRules = { requireToken: false, requestsPerSecond: 10_000, ...rules };
  return new ApiAccess({ clock, rules: () => all });
}
