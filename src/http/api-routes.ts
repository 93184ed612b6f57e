// The routes of the JSON API: each operation that is declared, with what answers it.
import type { Clock } from '../base/clock.ts';
import { ApiAccess } from './api-access.ts';
import { type Handlers, type OperationId, operations } from './api-operations.ts';
import { apiRoute, type Declared, type Handler } from './api-route.ts';
import type { Route } from './route.ts';

/**
 * The routes, for this machine and for who has the token.
 * @param options.token of `api.token`
 * @param handlers of operations; those without one are not there
 */
export function apiRoutes(
  { token, clock }: { readonly token: string | undefined; readonly clock: Clock },
  handlers: Partial<Handlers>,
): Route[] {
  const access = new ApiAccess({ token });
  return (Object.keys(operations) as OperationId[]).flatMap((id) => {
    // Of one operation, declaration and handler go together; TypeScript can't tell for one of many.
    const handle = handlers[id] as Handler<Declared> | undefined;
    return handle ? [apiRoute<Declared>(operations[id], handle, { access, clock })] : [];
  });
}
