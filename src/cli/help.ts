// What `tideway help` prints, made from the configuration schema.
import { type ConfigKey, configKeys, defaultText } from '../config/schema.ts';

/** `tideway help` and `tideway --help`. */
export const OVERVIEW = `Tideway relays live media: encoders push RTMP, players pull HTTP-FLV, WS-FLV or RTMP.

Usage
  tideway start [--config <file>] [--<key> <value> ...]   run a node
  tideway help start                                      every key, with its default
  tideway --version

Examples
  tideway start
  tideway start --rtmp.port 1936 --publish.secret "$SECRET"
  tideway start --config config.yaml

Exit codes
  0  stopped as asked    1  could not run, or failed    2  wrong arguments or configuration
`;

/** `tideway help start` and `tideway start --help`. */
export function startHelp(): string {
  return `tideway start runs a node until SIGTERM or SIGINT (Ctrl-C).

Every key is a flag, an environment variable and a key of the YAML file; a flag wins over the environment,
and that over the file. Log lines go to standard output, one JSON event each.

  --config <file>
      YAML file with any of the keys below.

${configKeys.map(keyHelp).join('\n')}`;
}

function keyHelp(key: ConfigKey): string {
  return `  ${key.flag}
      ${key.help}
      Allowed: ${key.allowed}. Default: ${defaultText(key)}.
      ${key.env}
`;
}
