// A command of `tideway`, run in this process, with its output in pipes.
import { main } from '../../src/cli/main.ts';
import { configKeys } from '../../src/config/schema.ts';
import { secretsOf } from './secret-settings.ts';
import { secretScan } from './secrets.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves when the command is done. */
export async function runCommand(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  secretScan.use(...secretsOf(settingsOf(args, env)));
  let stdout = '';
  let stderr = '';
  const process = {
    env,
    stdin: {},
    stdout: {
      once: () => {},
      off: () => {},
      write: (text: string, done?: () => void) => {
        stdout += text;
        done?.();
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
  };
  const code = await main(args, process as unknown as NodeJS.Process);
  secretScan.output(stdout);
  secretScan.output(stderr);
  return { code, stdout, stderr };
}

function settingsOf(args: readonly string[], env: NodeJS.ProcessEnv): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const { path, flag, env: variable } of configKeys) {
    const at = args.indexOf(path === 'api.token' ? '--token' : flag);
    const value = (at < 0 ? undefined : args[at + 1]) ?? env[variable];
    if (value !== undefined) settings[path] = value;
  }
  return settings;
}
