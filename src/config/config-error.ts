// What a configuration that can't be used is answered with: every problem at once, a line each.
import { TidewayError } from '../base/errors.ts';

/** Codes: `config.unreadable`, `config.syntax`, `config.invalid`. The message is the problems, one per line. */
export class ConfigError extends TidewayError {
  readonly problems: readonly string[];

  constructor(code: string, problems: readonly string[], options?: ErrorOptions) {
    super(code, problems.join('\n'), { problems: problems.length }, options);
    this.problems = problems;
  }
}
