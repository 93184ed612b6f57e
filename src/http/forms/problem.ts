// Form of every "no" of the HTTP server: a problem document (RFC 9457). Pure.
import { z } from 'zod';

export const problem = z.looseObject({
  type: z.string().meta({
    description: 'Names the kind of problem: /errors#code, a reference and no address.',
    examples: ['/errors#api.no-stream'],
  }),
  title: z.string().meta({ description: 'What the status means.' }),
  status: z.int().min(400).max(599),
  code: z.string().meta({ description: 'Stable; docs/errors.md has all.', examples: ['api.no-stream'] }),
  detail: z.string().meta({ description: 'In one line, for people.' }),
});
export type ProblemDocument = z.output<typeof problem>;
