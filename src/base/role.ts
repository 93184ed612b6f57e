// What somebody may do with a node's API. Pure.

/** Each may do what those before it may: look; end sessions, order copies, empty the node; change how it is set up. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** May who has the role do what `needed` is for? */
export function mayAct(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}
