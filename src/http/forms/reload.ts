// What `/api/v1/node/reload` takes and answers.
import { z } from 'zod';
import { nodeId } from './common.ts';

/** An object without members: with its media type, no page of another site can post it. */
export const reloadBody = z.strictObject({});

const keys = z.array(z.string().max(128)).max(1_000);

export const reloadAnswer = z.object({
  node: nodeId,
  changed: keys.meta({ description: 'Keys that have changed, and are in effect.' }),
  needsRestart: keys.meta({ description: 'Keys that would change, if the node was started again.' }),
});
export type ReloadAnswer = z.output<typeof reloadAnswer>;
