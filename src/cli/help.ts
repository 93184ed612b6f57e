// What `tideway help` prints, made from the configuration schema.
import { type ConfigKey, configKeys, defaultText } from '../config/schema.ts';
import { DEFAULT_DECISIONS, DEFAULT_LIMIT, MAX_LIMIT, MOST_DECISIONS } from '../http/api-operations.ts';
import { DEFAULT_DEADLINE_S, MAX_DEADLINE_S } from '../http/forms/drain.ts';
import type { CommandName } from './invocation.ts';

/** `tideway help` and `tideway --help`. */
const OVERVIEW = `Tideway relays live media: encoders push RTMP, players pull HTTP-FLV, WS-FLV or RTMP.

Usage
  tideway start [--config <file>] [--<key> <value> ...]   run a node
  tideway help start                                      every key, with its default
  tideway nodes                                           the nodes of the cluster
  tideway streams                                         the streams: who is origin, who pulls from whom
  tideway why app/name                                    why nodes were chosen for a stream
  tideway drain                                           empties a node, before it is stopped
  tideway --version

Examples
  tideway start
  tideway start --rtmp.port 1936 --publish.secret "$SECRET"
  tideway start --config config.yaml
  tideway streams --url http://10.0.0.2:8080

Exit codes
  0  done as asked       1  could not run, or failed    2  wrong arguments or configuration
`;

const ASKING = `Asks a node over HTTP. A node answers its own machine, and with its api.token others, too.

  --url <url>
      HTTP address of any node of the cluster.
      Default: this machine, port 8080 or TIDEWAY_HTTP_PORT.
  --token <token>
      The node's api.token. Others on this machine see what is typed here: TIDEWAY_API_TOKEN is better.
  --json
      The node's answer as JSON instead of a table.
`;

/** `tideway help` and `tideway help <command>`. */
export function helpText(about: 'tideway' | CommandName): string {
  switch (about) {
    case 'tideway':
      return OVERVIEW;
    case 'start':
      return startHelp();
    case 'nodes':
      return `tideway nodes lists the nodes of the cluster, and how the one that is asked reaches them.

${ASKING}`;
    case 'streams':
      return `tideway streams lists the streams of the cluster: the origin of each, and below it the replicas, each under the
node that it pulls from. Players are those of the node that is asked.

${ASKING}  --limit <n>
      Streams at most. Allowed: 1 to ${MAX_LIMIT}. Default: ${DEFAULT_LIMIT}.
`;
    case 'why':
      return `tideway why app/name lists what the node that is asked decided of late about a stream, newest first: which node
was chosen for players and publishers, where the stream is pulled from, and why. The nodes that the newest decision was
between are listed with their scores, lower ones being better, and those that could not be chosen with the reason.

${ASKING}  --limit <n>
      Decisions at most. Allowed: 1 to ${MOST_DECISIONS}. Default: ${DEFAULT_DECISIONS}.
`;
    case 'drain':
      return `tideway drain empties a node: it takes no new publishers and players, nodes that pull from it go elsewhere, and
players go on until they leave, or the deadline ends them. The node runs on until it is stopped, or this is undone.

${ASKING}  --deadline <seconds>
      Players and publishers that are left then are ended. Allowed: 0 to ${MAX_DEADLINE_S}. Default: ${DEFAULT_DEADLINE_S}.
  --undo
      The node serves again, also after the deadline.
  --wait
      Returns once nobody is left, or the deadline has passed; says on standard error who is left.
`;
  }
}

function startHelp(): string {
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
