// The program `tideway`: runs what was typed, and turns errors into one clear line each and an exit code.
import { systemClock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import { ConfigError } from '../config/config-error.ts';
import { readConfig } from '../config/load.ts';
import { version } from '../node/relay-node.ts';
import { start } from './commands.ts';
import type { ExitCode } from './exit-code.ts';
import { helpText } from './help.ts';
import { parseInvocation } from './invocation.ts';
import { safeText } from './safe-text.ts';
import { show } from './show.ts';
import { signed } from './sign.ts';
import { hashText, newTokenText } from './token.ts';

/** @param argv what follows `tideway` */
export async function main(argv: readonly string[], process: NodeJS.Process): Promise<ExitCode> {
  try {
    return await run(argv, process);
  } catch (error) {
    for (const line of linesOf(error)) process.stderr.write(`tideway: ${line}\n`);
    return isMistyped(error) ? 2 : 1;
  }
}

async function run(argv: readonly string[], process: NodeJS.Process): Promise<ExitCode> {
  const invocation = parseInvocation(argv);
  switch (invocation.run) {
    case 'help':
      process.stdout.write(helpText(invocation.about));
      return 0;
    case 'version':
      process.stdout.write(`${version()}\n`);
      return 0;
    case 'token':
      process.stdout.write(newTokenText());
      return 0;
    case 'hash-token':
      process.stdout.write(await hashText(process.stdin));
      return 0;
    case 'start': {
      const { configPath: path, flags } = invocation;
      const sources = { path, env: process.env, flags };
      const config = await readConfig(sources);
      return start(config, process, () => readConfig({ ...sources, newNodeId: () => config.node.id }));
    }
    case 'sign': {
      const config = await readConfig({ path: invocation.configPath, env: process.env });
      process.stdout.write(`${signed(invocation, config, systemClock.wallMs())}\n`);
      return 0;
    }
    default:
      return show(invocation, process);
  }
}

function isMistyped(error: unknown): boolean {
  if (error instanceof ConfigError) return true;
  return error instanceof TidewayError && (error.code === 'cli.usage' || error.code === 'registry.url');
}

/** An error of ours is its message, which may repeat what somebody else said; any other is a bug, and shows where. */
function linesOf(error: unknown): readonly string[] {
  if (error instanceof ConfigError) return error.problems.map(safeText);
  if (error instanceof TidewayError) return [safeText(error.message)];
  return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
}
