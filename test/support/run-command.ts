// A command of `tideway`, run in this process, with its output in pipes.
import { main } from '../../src/cli/main.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves when the command is done. */
export async function runCommand(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
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
  return { code, stdout, stderr };
}
