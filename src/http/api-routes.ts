// The routes of the JSON API: each operation that is declared, with what answers it.
import { type Handlers, type OperationId, operations } from './api-operations.ts';
import { type ApiRouteNeeds, apiRoute, type Declared, type Handler } from './api-route.ts';
import type { Route } from './route.ts';

/** @param handlers of operations; those without one are not there */
export function apiRoutes(needs: ApiRouteNeeds, handlers: Partial<Handlers>): Route[] {
  return (Object.keys(operations) as OperationId[]).flatMap((id) => {
    // Of one operation, declaration and handler go together; TypeScript can't tell for one of many.
    const handle = handlers[id] as Handler<Declared> | undefined;
    return handle ? [apiRoute<Declared>(operations[id], handle, needs)] : [];
  });
}
