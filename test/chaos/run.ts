// The chaos command: five nodes, Redis with its sentinels, publishers and players, and everything that goes wrong.
//   npm run chaos -- --seed 7 --minutes 3 --json out.json
// Exits with 1 if a rule was broken, with 2 if it could not be run.

import { writeFileSync } from 'node:fs';
import { killChildrenOnInterrupt } from '../support/children.ts';
import { optionsOrExit } from '../support/options-or-exit.ts';
import { chaos } from './chaos.ts';
import { readOptions, USAGE } from './options.ts';
import { figuresOf } from './report.ts';

const options = optionsOrExit(readOptions, USAGE);
killChildrenOnInterrupt();
console.log(`seed ${options.seed}, ${options.ms / 60_000} minutes`);
const { json, network, ...rest } = options;
try {
  const report = await chaos({ ...rest, ...(network && { network }), tell: (line) => console.log(line) });
  console.log(figuresOf(report));
  if (json) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  process.exit(report.violations.length > 0 ? 1 : 0);
} catch (error) {
  console.error(error);
  process.exit(2);
}
