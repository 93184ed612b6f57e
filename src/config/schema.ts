// Every configuration key, once: its kind, default and help. The key list, the names of environment variables and
// flags, the help text and the documentation are derived from here. Nothing is read here.
import { z } from 'zod';
import {
  addresses,
  aheadSeconds,
  apiTokens,
  audience,
  boolean,
  bytes,
  choice,
  count,
  countOrNone,
  headerName,
  host,
  httpAddress,
  type Kind,
  keyPrefix,
  label,
  logLevel,
  MIB,
  meshSecret,
  ms,
  networkList,
  networks,
  nodeId,
  path,
  playRules,
  port,
  portOrOff,
  preloads,
  prices,
  priorities,
  publishRules,
  registryUrl,
  rtmpAddress,
  seconds,
  secret,
  share,
  shareOrNone,
  signingKeys,
  signingSecret,
  tags,
  webhookUrl,
  weight,
} from './kinds.ts';

/** What an operator is told about a key. */
interface KeyDoc {
  readonly help: string;
  readonly allowed: string;
  readonly unit?: 'ms' | 'bytes';
  readonly secret?: boolean;
  /** The default in words, where it is computed or absent. */
  readonly unset?: string;
  /** It takes effect when the configuration is read again; other keys do when the node is started again. */
  readonly isLive?: true;
}

const docs = z.registry<KeyDoc>();

/** A key with a fixed default; `unset` tells of a better one that `load.ts` computes. */
function key<T extends string | number | boolean>(
  kind: Kind<T>,
  fallback: NoInfer<T>,
  help: string,
  unset?: string,
) {
  return z._default(kind.type, fallback).register(docs, docOf(kind, help, unset));
}

/** A key that may be left out; `unset` says what happens then. */
function optional<T>(kind: Kind<T>, unset: string, help: string) {
  return z.optional(kind.type).register(docs, docOf(kind, help, unset));
}

/** A key for which `load.ts` always has a value; `unset` says where from. */
function computed<T>(kind: Kind<T>, unset: string, help: string) {
  return kind.type.register(docs, docOf(kind, help, unset));
}

/** A key that takes effect while the node runs: who needs it reads it each time. */
function live<T extends z.ZodType>(type: T): T {
  const doc = docs.get(type);
  if (doc) docs.add(type, { ...doc, isLive: true });
  return type;
}

function docOf(kind: Kind<unknown>, help: string, unset?: string): KeyDoc {
  const { allowed, unit, secret: hidden } = kind;
  return { help, allowed, ...(unit && { unit }), ...(hidden && { secret: hidden }), ...(unset && { unset }) };
}

export const configSchema = z.strictObject({
  host: key(host, '0.0.0.0', 'Address that all doors listen on: RTMP, HTTP and mesh.'),
  node: z.strictObject({
    id: computed(
      nodeId,
      'the host name, "-" and 4 random hex digits',
      'Name of this node in logs and in the cluster; no two nodes share one.',
    ),
    region: key(label, '', 'Region of this node, as the cluster is told.', 'none'),
    zone: key(label, '', 'Zone of this node within its region, as the cluster is told.', 'none'),
    tags: optional(tags, 'none', 'Words that nodes are told apart by, as the cluster is told.'),
    capacityMbps: optional(
      count,
      'the speed of the network interface, else at least 1 Gbit/s and twice the most that was ever sent',
      'What this node may send, in Mbit/s: 1 Mbit/s is 125,000 bytes a second.',
    ),
  }),
  log: z.strictObject({
    level: live(key(logLevel, 'info', 'Log lines below this level are left out.')),
    format: key(
      choice('auto', 'json', 'pretty'),
      'auto',
      'One JSON object a line, or lines for people; auto: for people on a terminal.',
    ),
  }),
  rtmp: z.strictObject({
    port: key(portOrOff, 1935, 'Port for RTMP publishers and players; 0 takes any free one.'),
    advertise: optional(
      rtmpAddress,
      'rtmp.port (rtmps.port if that is off) at host, or if that is any address, at that of the connection to the registry',
      'Where RTMP publishers and players reach this node, as the cluster is told.',
    ),
    advertiseInternal: optional(
      rtmpAddress,
      'none',
      'Where RTMP publishers and players within the cluster network reach this node (network=internal).',
    ),
    maxConnections: live(key(count, 10_000, 'RTMP connections at once; more are closed on arrival.')),
    maxConnectionsPerAddress: live(
      key(count, 10_000, 'RTMP connections at once from one address; of IPv6, from one /64.'),
    ),
    handshakeMs: live(key(ms(1), 5_000, 'A connection whose handshake takes longer is closed.')),
    connectMs: live(key(ms(1), 10_000, 'A connection that takes longer to publish or play is closed.')),
  }),
  rtmps: z.strictObject({
    port: optional(port, 'none: no RTMPS', 'Port for RTMP over TLS, with tls.cert; 0 takes any free one.'),
  }),
  http: z.strictObject({
    port: key(portOrOff, 8080, 'Port for HTTP-FLV, WS-FLV, the watch page and health; 0 takes any free one.'),
    advertise: optional(
      httpAddress,
      'http.port (https.port if that is off) at host, or if that is any address, at that of the connection to the registry',
      'Where HTTP players reach this node, as the cluster is told.',
    ),
    advertiseInternal: optional(
      httpAddress,
      'none',
      'Where HTTP players within the cluster network reach this node (network=internal).',
    ),
    maxConnections: key(
      count,
      20_000,
      'HTTP connections at once that something is asked of; beyond them, health and the API alone are answered.',
    ),
    maxConnectionsPerAddress: live(
      key(count, 10_000, 'HTTP connections at once from one address; of IPv6, from one /64.'),
    ),
  }),
  https: z.strictObject({
    port: optional(
      port,
      'none: no HTTPS',
      'Port for all that http.port has, over TLS, with tls.cert; 0 takes any free one.',
    ),
  }),
  tls: z.strictObject({
    cert: optional(
      path,
      'none',
      'Certificate for https.port and rtmps.port, in PEM, behind it those that it is signed by.',
    ),
    key: optional(path, 'none', 'Its private key, in PEM, without a passphrase.'),
  }),
  proxy: z.strictObject({
    networks: optional(
      networkList,
      'none: who connects is who asks',
      'Proxies in front of RTMP and HTTP: what these say of whom they speak for is believed.',
    ),
    protocol: key(
      choice('allow', 'require', 'off'),
      'allow',
      'The PROXY protocol (version 2) on connections from proxy.networks.',
    ),
    header: key(
      choice('x-forwarded-for', 'forwarded', 'none'),
      'x-forwarded-for',
      'The one HTTP header in which proxy.networks say who asks.',
    ),
  }),
  mesh: z.strictObject({
    port: key(port, 7935, 'Port for other nodes; 0 takes any free one.'),
    advertise: optional(
      addresses,
      'mesh.port at host, or if that is any address, at that of the connection to the registry',
      'Where other nodes reach this one, best first.',
    ),
    secret: optional(
      meshSecret,
      'none: this node is alone',
      'Secret that all nodes of the cluster share: openssl rand -hex 32.',
    ),
    tls: z.strictObject({
      cert: optional(
        path,
        'none: links between nodes are plain',
        'Certificate that this node shows to others, in PEM; all nodes of a cluster speak TLS, or none.',
      ),
      key: optional(path, 'none', 'Its private key, in PEM, without a passphrase.'),
      ca: optional(path, 'none', 'Certificates that those of the other nodes have to be signed by, in PEM.'),
      names: key(
        choice('any', 'node'),
        'any',
        'What a certificate has to name: anything, or the node.id of who shows it, as a DNS name.',
      ),
    }),
  }),
  registry: z.strictObject({
    url: key(registryUrl, 'memory:', 'Directory of nodes and streams; memory: is built in, for one node.'),
    prefix: key(keyPrefix, 'tw:', 'What every key and channel in Redis starts with: one for each cluster.'),
    whileAway: key(
      choice('accept', 'reject'),
      'accept',
      'What becomes of a new publisher while the registry is away.',
    ),
  }),
  relay: z.strictObject({
    lingerMs: key(ms(0), 10_000, 'How long a stream from another node is kept without a player.'),
    softChildren: key(count, 6, 'Nodes that pull one stream from this one before more are sent on to those.'),
    maxChildren: key(count, 64, 'Nodes that pull one stream from this one at most.'),
    standbyPlayers: key(
      countOrNone,
      100,
      'From so many players of a stream on, a second node that others can pull it from is kept warm; 0: never.',
    ),
  }),
  routing: z.strictObject({
    weights: z.strictObject({
      cpu: live(
        key(weight, 1, 'How much the CPU of a node counts where one is chosen, event loop included.'),
      ),
      memory: live(key(weight, 0.3, 'How much its memory counts.')),
      bandwidth: live(key(weight, 1, 'How much its bandwidth counts, as a part of what it may send.')),
      place: live(key(weight, 2, 'How much it counts that it is in another zone or region than who asks.')),
      link: live(key(weight, 0.5, 'How much the round trip to the region of who asks counts.')),
      price: live(key(weight, 0.5, 'How much the price counts at which it gets a stream that it lacks.')),
      stream: live(key(weight, 0.3, 'How much it counts that it lacks the stream.')),
    }),
    limits: z.strictObject({
      cpu: live(key(share, 0.9, 'Above this part of its CPU a node is not chosen.')),
      memory: live(key(share, 0.9, 'Above this part of its memory a node is not chosen.')),
      bandwidth: live(key(share, 0.95, 'Above this part of what it may send a node is not chosen.')),
      loop: live(key(share, 0.95, 'Above this part of the time of its event loop a node is not chosen.')),
      loopLagMs: live(key(ms(1), 500, 'A node whose event loop is later than this is not chosen.')),
      players: live(
        optional(count, 'none', 'A node with so many players is not chosen for one more, and refuses it.'),
      ),
    }),
    prices: live(
      optional(
        prices,
        'none: no way costs anything',
        'What a gigabyte costs from one region to another; the first rule that matches counts, within a region it is 0.',
      ),
    ),
    networks: optional(
      networks,
      'none',
      'Region of a player or publisher by its address; of several networks that it is in, the smallest counts.',
    ),
    regionHeader: optional(
      headerName,
      'none: a header says nothing',
      'HTTP header that a trusted proxy in front of the nodes sets to the region of who asks.',
    ),
  }),
  route: z.strictObject({
    redirect: live(
      key(
        choice('never', 'overload', 'always'),
        'overload',
        'When a player that asks this node for a stream is sent to a better one: never, when this one is over its limits, or whenever there is one.',
      ),
    ),
  }),
  preload: optional(
    preloads,
    'none',
    'Which streams are kept warm in which regions before anybody plays them there; the first rule that matches counts.',
  ),
  api: z.strictObject({
    token: live(optional(secret, 'none', 'Token of an admin of the API: who has it may do everything.')),
    tokens: live(
      optional(
        apiTokens,
        'none',
        'Further tokens of the API, each with a name and a role. A viewer may look, an operator also end sessions, order copies and drain, an admin everything. Only hashes are kept: "tideway token" makes both.',
      ),
    ),
    requireToken: live(key(boolean, false, 'The API wants a token of its own machine, too.')),
    requestsPerSecond: live(
      key(
        count,
        50,
        'Requests to the API that are answered of one token, or of one address without; at once four times as many. This machine, without a token, has no limit.',
      ),
    ),
  }),
  priority: optional(
    priorities,
    'none: all streams are equal',
    'Which streams go first between nodes where not all find room; the first rule that matches counts.',
  ),
  publish: z.strictObject({
    secret: live(
      optional(secret, 'none: anybody may publish', 'A publisher must add ?key=<secret> to its stream name.'),
    ),
    policy: live(
      key(
        choice('takeover', 'reject'),
        'takeover',
        'What becomes of a second publisher of a live stream: it takes over, or is refused.',
      ),
    ),
    holdMs: live(key(ms(0), 30_000, 'How long players stay connected after the publisher was lost.')),
    holdAfterStopMs: live(
      key(
        ms(0),
        30_000,
        'How long players stay connected after the publisher stopped by itself.',
        'the value of publish.holdMs',
      ),
    ),
    idleMs: live(key(ms(1), 30_000, 'A publisher that sends nothing for so long counts as lost.')),
    maxMbps: live(
      key(count, 200, 'What a publisher may send, in Mbit/s, over some 10 s; one that sends more is ended.'),
    ),
    maxFramesPerSecond: live(
      key(
        count,
        5_000,
        'Frames that a publisher may send a second, audio included, over some 10 s; one that sends more is ended.',
      ),
    ),
  }),
  auth: z.strictObject({
    publish: live(
      optional(
        publishRules,
        'none: who has publish.secret, or anybody if there is none',
        'What lets whom publish which streams: the first rule that matches counts, and what none matches is refused.',
      ),
    ),
    play: live(
      optional(
        playRules,
        'none: anybody may play',
        'What lets whom play which streams: the first rule that matches counts, and what none matches is refused.',
      ),
    ),
    keys: live(
      optional(
        signingKeys,
        'none: no URL is signed',
        'Keys of signed URLs, by id; all are taken, and tideway sign takes the first.',
      ),
    ),
    maxSeconds: live(
      key(aheadSeconds, 2_592_000, 'A signed URL or a token that is good for longer from now on is refused.'),
    ),
    jwt: z.strictObject({
      secret: live(optional(signingSecret, 'none', 'Secret that tokens are signed with, by HS256.')),
      publicKeyFile: live(
        optional(
          path,
          'none',
          'PEM file with the public key of who signs tokens: RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA). Read again with the configuration.',
        ),
      ),
      audience: live(key(audience, 'tideway', 'What the aud of a token has to name.')),
    }),
    webhook: z.strictObject({
      url: live(
        optional(
          webhookUrl,
          'none',
          'Server that is asked who may publish and play where a rule says webhook, and told when it is over.',
        ),
      ),
      secret: live(optional(signingSecret, 'none', 'Secret that what the server is sent is signed with.')),
      playOnFailure: live(
        key(
          choice('deny', 'allow'),
          'deny',
          'What a player gets while the server can not be asked; publishers are refused.',
        ),
      ),
      allowCacheMs: live(
        key(
          ms(0, 300_000),
          5_000,
          'How long a yes of the server counts for the same question, unless it says so itself.',
        ),
      ),
      denyCacheMs: live(
        key(
          ms(0, 300_000),
          2_000,
          'How long a no of the server counts for the same question, unless it says so itself.',
        ),
      ),
      allowNetworks: live(
        optional(
          networkList,
          'none: public addresses only',
          'Networks that the server may be in although they are private, or of this machine.',
        ),
      ),
    }),
  }),
  play: z.strictObject({
    waitMs: live(key(ms(0), 2_000, 'How long a player waits for a stream that is not live yet.')),
    maxWaitingKeys: live(key(count, 1_000, 'Stream keys that players wait for at once.')),
    maxPlayersPerStream: live(optional(count, 'none', 'Players of one stream on this node.')),
  }),
  player: z.strictObject({
    maxBacklogBytes: key(
      bytes,
      8 * MIB,
      'A player that falls behind by more goes without video up to a key frame; from half of it on, without disposable frames.',
    ),
    maxBacklogMs: key(
      ms(1),
      5_000,
      'The bound of player.maxBacklogBytes in stream time; the one that is reached first counts.',
    ),
    stallMs: key(
      ms(1),
      15_000,
      'A player that takes no byte for so long, though it has some to take, is closed.',
    ),
  }),
  stream: z.strictObject({
    logMs: key(ms(10_000), 10_000, 'Recent past kept of each stream, in stream time.'),
    gopMs: key(ms(10_000), 60_000, 'The newest group of pictures is kept beyond stream.logMs, up to this.'),
    logBytes: key(bytes, 64 * MIB, 'Recent past kept of each stream, in bytes.'),
    logFrames: key(count, 32_768, 'Recent past kept of each stream, in frames.'),
  }),
  limits: z.strictObject({
    streams: live(key(count, 10_000, 'Streams at once on this node.')),
    connectionsPerSecond: live(
      key(
        count,
        2_000,
        'New connections a second, RTMP and HTTP together; at once five times as many. More are closed on arrival.',
      ),
    ),
    connectionsPerSecondPerAddress: live(
      key(count, 1_000, 'The same from one address; of IPv6, from one /64.'),
    ),
    reservedFiles: live(
      key(
        countOrNone,
        100,
        'Files that the process may open (ulimit -n) and media does not get: so health, the API and links answer; a quarter of all at most.',
      ),
    ),
  }),
  fanout: z.strictObject({
    maxDelayMs: key(
      ms(0, 1_000),
      100,
      'Longest that a frame waits to be sent together with others; with few players none waits.',
    ),
  }),
  memory: z.strictObject({
    budgetBytes: optional(
      bytes,
      '25 % of the memory of the container',
      'Memory that media may take; near it, new players and publishers are refused, then slow players closed.',
    ),
  }),
  alarms: z.strictObject({
    stalledMs: live(key(ms(500), 2_000, 'A live stream without a frame for so long raises an alarm.')),
    noKeyFrameMs: live(
      key(ms(1_000), 15_000, 'A live stream with video and no key frame for so long raises an alarm.'),
    ),
    bitrateShare: live(
      key(
        shareOrNone,
        0.4,
        'A bitrate that stays below this part of what it was in the minute before raises an alarm; 0: never.',
      ),
    ),
    hopMs: live(key(ms(1), 500, 'A hop between two nodes on which frames take longer raises an alarm.')),
  }),
  metrics: z.strictObject({
    streams: key(
      countOrNone,
      100,
      'Streams that /metrics names, those with the most players first; all others count as one.',
    ),
  }),
  shutdown: z.strictObject({
    graceMs: live(key(ms(0), 5_000, 'How long a stopping node takes to end its players and publishers.')),
    drainSeconds: live(
      key(
        seconds,
        0,
        'How long a node that is told to stop lets its players go on while everything else goes elsewhere; 0: not at all.',
      ),
    ),
  }),
  dashboard: z.strictObject({
    enabled: key(boolean, true, 'Serve the dashboard at /.'),
  }),
  watch: z.strictObject({
    enabled: key(boolean, true, 'Serve the watch page at /watch/.'),
  }),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The whole configuration of one node, checked and complete. */
export type Config = DeepReadonly<z.output<typeof configSchema>>;

/** One configuration key, as operators meet it. */
export interface ConfigKey extends KeyDoc {
  /** Its path: `rtmp.port`. */
  readonly path: string;
  /** Its environment variable: `TIDEWAY_RTMP_PORT`. */
  readonly env: string;
  /** Its flag: `--rtmp.port`. */
  readonly flag: string;
  /** The fixed default; undefined if there is none. */
  readonly fallback: string | number | boolean | undefined;
  readonly accepts: (value: unknown) => boolean;
}

/** Every key, in the order of the schema. */
export const configKeys: readonly ConfigKey[] = keysIn(configSchema, '');

function keysIn(section: z.ZodObject, prefix: string): ConfigKey[] {
  return Object.entries(section.shape).flatMap(([name, type]) => {
    const path = prefix + name;
    if (type instanceof z.ZodObject) return keysIn(type, `${path}.`);
    const doc = docs.get(type);
    if (!doc) throw new Error(`${path} is a bare type: declare it with key(), optional() or computed()`);
    return {
      ...doc,
      path,
      env: `TIDEWAY_${path.toUpperCase().replaceAll('.', '_')}`,
      flag: `--${path}`,
      fallback: type instanceof z.ZodDefault ? (type.def.defaultValue as ConfigKey['fallback']) : undefined,
      accepts: (value) => z.safeParse(type, value).success,
    };
  });
}

/** A key's default in words: `1935`, `8MiB`, "the value of publish.holdMs". */
export function defaultText({ unset, unit, fallback }: ConfigKey): string {
  if (unset !== undefined) return unset;
  return unit === 'bytes' && typeof fallback === 'number' ? `${fallback / MIB}MiB` : String(fallback);
}
