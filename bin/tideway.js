#!/usr/bin/env node
// The command that is installed: hands over to the built program and exits with what it says.
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

// Frames live for seconds and batches for an instant: a young generation of up to 48 MiB would only take memory
// (docs/decisions/0009-small-young-generation.md).
setFlagsFromString('--semi-space-growth-factor=1');

const program = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('tideway: not built yet: run "npm run build" (or "npm start", which does both)\n');
  process.exit(1);
}
const { main } = await import(program.href);
process.exit(await main(process.argv.slice(2), process));
