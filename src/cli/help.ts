// What `tideway help` prints, made from the configuration schema.
import { type ConfigKey, configKeys, defaultText } from '../config/schema.ts';
import { DEFAULT_DECISIONS, DEFAULT_LIMIT, MAX_LIMIT, MOST_DECISIONS } from '../http/api-operations.ts';
import { DEFAULT_DEADLINE_S, MAX_DEADLINE_S } from '../http/forms/drain.ts';
import type { CommandName } from './invocation.ts';
import { STREAM_SORTS } from './stream-sort.ts';

const SORTS = Object.keys(STREAM_SORTS).join(', ');
/** Of lists of the API other than streams. */
const USUAL_ROWS = 100;
const MAX_ROWS = 1_000;

/** `tideway help` and `tideway --help`. */
const OVERVIEW = `Tideway relays live media: encoders push RTMP, players pull HTTP-FLV, WS-FLV or RTMP.

Run
  tideway start [--config <file>] [--<key> <value> ...]   runs a node
  tideway drain                                           empties a node, before it is stopped
  tideway token                                           makes a token for the API, and its hash
  tideway hash-token                                      hashes one that is piped in

Look
  tideway status              the cluster on one screen: what is wrong, and what to do
  tideway top                 streams or nodes, live
  tideway nodes               the nodes
  tideway links               the links between them
  tideway streams             the streams: who is origin, who pulls from whom
  tideway stream app/name     one stream: its tree, delay of each hop, quality at each node
  tideway sessions            publishers and players, with what they lost
  tideway kick <session>      ends one of them
  tideway alarms              what is wrong with streams, and was
  tideway events              what happened; --follow goes on
  tideway traffic             bytes and what they cost
  tideway why app/name        why nodes were chosen for a stream

Let in
  tideway sign publish|play app/name   a signed URL, good for a while

More
  tideway help <command>      its flags; "help start" has every key, with its default
  tideway --version

Examples
  tideway start --rtmp.port 1936 --publish.secret "$SECRET"
  tideway start --config config.yaml
  tideway streams --url http://10.0.0.2:8080 --sort players
  tideway status --quiet && echo well

Colours go with a terminal; NO_COLOR=1 leaves them out. All that looks takes --json.

Exit codes
  0  done as asked, all is well      2  wrong arguments or configuration
  1  could not run, or failed        3  something is wrong (status)
`;

const ASKING = `Asks a node over HTTP; any node answers for the whole cluster. A node answers its own machine, and others that have
a token of its api.token or api.tokens.

  --url <url>
      HTTP address of any node of the cluster.
      Default: this machine, port 8080 or TIDEWAY_HTTP_PORT.
  --token <token>
      A token of the node. Others on this machine see what is typed here: TIDEWAY_API_TOKEN is better.
  --json
      The node's answer as JSON instead of a text.
`;

const WHERE = `  --stream <app/name>
      Only of this stream.
  --node <id>
      Only of this node.
`;

/** `tideway help` and `tideway help <command>`. */
export function helpText(about: 'tideway' | CommandName): string {
  switch (about) {
    case 'tideway':
      return OVERVIEW;
    case 'start':
      return startHelp();
    case 'status':
      return `tideway status shows the cluster on one screen: its sums, its regions, alarms that last, what is wrong, and what to do.

${ASKING}  --quiet, -q
      Nothing is printed: for scripts, which ask for the exit code.

Exit codes
  0  all is well
  1  the node can't be asked
  2  wrong arguments
  3  an alarm lasts, a node is silent, the registry is away, or the node that is asked can't do its work
`;
    case 'nodes':
      return `tideway nodes lists the nodes of the cluster, how busy they are, and how the one that is asked reaches them.

${ASKING}`;
    case 'links':
      return `tideway links lists the links between nodes, each from both of its ends: round trip and its deviation, heartbeats of the
last 10 s that did not come in time, bytes a second, and bytes that were sent and not read yet.

${ASKING}  --node <id>
      Only of this node.
`;
    case 'streams':
      return `tideway streams lists the streams of the cluster: the origin of each, and below it the replicas, each under the
node that it pulls from. Players are those of all nodes. tideway streams app/name tells of one, as tideway stream does.

${ASKING}  --search <text>
      Only streams with this in their key, of whatever case.
  --sort <what>
      Allowed: ${SORTS}. Default: key. By anything but the key, the most or the newest first.
  --limit <n>
      Streams at most. Allowed: 1 to ${MAX_LIMIT}. Default: ${DEFAULT_LIMIT}.
`;
    case 'stream':
      return `tideway stream app/name tells of one stream. First its tree: each node below the one that it pulls from, with the delay
of that hop and how far it may be wrong, and the age of a frame there, counted from its arrival at the origin. Then what
the stream is like at each node, its publisher, and its alarms.

${ASKING}`;
    case 'sessions':
      return `tideway sessions lists publishers and players, newest first, also those that ended of late: what each gave or was
given, what it had to go without, and why it ended.

${ASKING}${WHERE}  --kind <kind>
      Allowed: publisher, player.
  --state <state>
      Allowed: open, ended, all. Default: open.
  --limit <n>
      Sessions at most. Allowed: 1 to ${MAX_ROWS}. Default: ${USUAL_ROWS}.
`;
    case 'kick':
      return `tideway kick <session> ends a session, a publisher or a player, at whatever node it is. Its id is that of tideway
sessions, and of the log. Who was ended may come back: close the door with publish.secret.

${ASKING}`;
    case 'alarms':
      return `tideway alarms lists what is wrong with streams, and then what was, newest first. The keys alarms.* say when one is
raised.

${ASKING}${WHERE}  --limit <n>
      Alarms at most. Allowed: 1 to ${MAX_ROWS}. Default: ${USUAL_ROWS}.
`;
    case 'events':
      return `tideway events lists what became of streams, publishers, nodes and links, oldest first: lines of the nodes' logs
(docs/events.md).

${ASKING}${WHERE}  --limit <n>
      Events at most. Allowed: 1 to ${MAX_ROWS}. Default: ${USUAL_ROWS}.
  --follow, -f
      Goes on with what happens, until it is stopped. With --json each event is a line.
`;
    case 'traffic':
      return `tideway traffic tells the bytes that went in and out, and what they cost by routing.prices: since each node started, and
within the window. Both are in memory, and gone with the node's process.

${ASKING}  --by <what>
      What is summed up. Allowed: node, stream, protocol, regions, all. Default: node.
${WHERE}  --limit <n>
      Rows at most. Allowed: 1 to ${MAX_ROWS}. Default: ${USUAL_ROWS}.
`;
    case 'top':
      return `tideway top shows streams, or nodes, and shows them anew every two seconds. On a terminal keys change what is
shown, and the last line tells them: q quits. Without one, texts follow each other.

${ASKING}      Of top: one document a line, with the answers about status, nodes, streams and alarms.
  --nodes
      Nodes first, instead of streams.
  --sort <what>
      Streams by. Allowed: ${SORTS}. Default: players.
  --limit <n>
      Streams at most. Default: 100.
  --count <n>, -n <n>
      Looks so often, then ends; always without keys.
`;
    case 'why':
      return `tideway why app/name lists what the node that is asked decided of late about a stream, newest first: which node
was chosen for players and publishers, where the stream is pulled from, and why. The nodes that the newest decision was
between are listed with their scores, lower ones being better, and those that could not be chosen with the reason.

${ASKING}  --cluster
      What all nodes decided, instead of the one that is asked.
  --limit <n>
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
    case 'token':
      return `tideway token prints a new random token for the API, and its SHA-256. Give the token to who is to have it, and the hash
to the nodes, in api.tokens:

  api:
    tokens:
      - name: eva
        role: operator
        sha256: <the hash>
`;
    case 'hash-token':
      return `tideway hash-token reads a token from standard input and prints its SHA-256, for api.tokens:

  printf %s "$TOKEN" | tideway hash-token
`;
    case 'sign':
      return `tideway sign publish|play app/name prints what lets somebody publish or play that stream on nodes whose rules say
signed: the query to append to its URL, or with --url the whole URL. It asks no node; the key is that of auth.keys, in the
file or in TIDEWAY_AUTH_KEYS, and is not printed.

  --config <file>
      YAML file of a node, for auth.keys and auth.maxSeconds.
  --expires <time>
      Good for so long: 90s, 30m, 1h, 7d. Default: 1h.
  --address <address>
      Good only from this address, or network like 10.1.0.0/16. Default: from anywhere.
  --key-id <id>
      Key that signs. Default: the first one of auth.keys.
  --url <url>
      Address of a door: rtmp://host, http://host:8080, ws://host:8080. Default: the query alone is printed.

Examples
  tideway sign publish live/show --expires 12h --url rtmp://media.example.com
  tideway sign play live/show --url https://media.example.com
`;
  }
}

function startHelp(): string {
  return `tideway start runs a node until SIGTERM or SIGINT (Ctrl-C).

Every key is a flag, an environment variable and a key of the YAML file; a flag wins over the environment,
and that over the file. Log lines go to standard output, one JSON event each; log.format says when they are for people.

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
