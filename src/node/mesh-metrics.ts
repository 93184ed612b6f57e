// What the mesh of a node counts: its links, what it pulls over them and what it feeds.
import type { Answers } from '../mesh/answers.ts';
import type { Downstreams } from '../mesh/downstreams.ts';
import type { Links } from '../mesh/links.ts';
import type { Questions } from '../mesh/questions.ts';
import type { Replicas } from '../mesh/replicas.ts';
import type { Sources } from '../mesh/sources.ts';
import type { Subscriptions } from '../mesh/subscriptions.ts';
import type { Wants } from '../mesh/wants.ts';
import { counter, gauge, type MetricFamily, type MetricSample } from '../observe/metrics.ts';

export interface MeshSources {
  /** Lines about peers that were left out of the log. */
  readonly linesLeftOut: number;
  readonly links: Pick<
    Links,
    'size' | 'worst' | 'accepted' | 'dialled' | 'bytesIn' | 'bytesOut' | 'refused' | 'wireErrors'
  >;
  readonly subscriptions: Pick<Subscriptions, 'fedCount' | 'asked' | 'granted' | 'unanswered'>;
  readonly sources: Pick<Sources, 'lookups' | 'spared' | 'asked'>;
  readonly downstreams: Pick<Downstreams, 'count' | 'granted' | 'declined'>;
  readonly wants: Pick<Wants, 'count' | 'taken' | 'refused' | 'soughtAgain'>;
  readonly questions: Pick<Questions, 'asked' | 'whole' | 'failed' | 'unexpected' | 'receivedBytes'>;
  readonly answers: Pick<Answers, 'answered' | 'refused' | 'sentBytes' | 'rowsLeftOut'>;
  readonly replicas: Pick<
    Replicas,
    | 'count'
    | 'switches'
    | 'movesRefused'
    | 'splices'
    | 'gaps'
    | 'fences'
    | 'resumes'
    | 'skippedFrames'
    | 'hopDelays'
  >;
}

/** @param maxStreams so many streams have samples of their own; beyond it, the worst is told as `other` */
export function meshMetrics(of: MeshSources, maxStreams: number): MetricFamily[] {
  const { links, subscriptions, sources, downstreams, replicas, wants } = of;
  return [
    gauge('tideway_mesh_links', 'Open links to other nodes.', links.size),
    gauge(
      'tideway_mesh_rtt_max_seconds',
      'The slowest round trip of the links to other nodes.',
      links.worst.rttMs / 1_000,
    ),
    gauge(
      'tideway_mesh_beat_loss_max_ratio',
      'The greatest part of the heartbeats of another node that did not come in time, 0 to 1.',
      links.worst.lossShare,
    ),
    counter('tideway_mesh_links_opened_total', 'Links that were opened, by who dialled.', [
      { labels: { dialled: 'peer' }, value: links.accepted },
      { labels: { dialled: 'self' }, value: links.dialled },
    ]),
    counter('tideway_mesh_received_bytes_total', 'Bytes received from other nodes.', links.bytesIn),
    counter('tideway_mesh_sent_bytes_total', 'Bytes sent to other nodes.', links.bytesOut),
    counter('tideway_mesh_refusals_total', 'Peers told no, by reason.', links.refused.samples()),
    counter(
      'tideway_mesh_wire_errors_total',
      'Links that broke the protocol, by rule.',
      links.wireErrors.samples(),
    ),
    gauge('tideway_relayed_streams', 'Streams that this node pulls, or looks for.', replicas.count),
    gauge('tideway_upstreams', 'Subscriptions that feed this node.', subscriptions.fedCount),
    counter('tideway_questions_total', 'Questions to peers: subscriptions and heads.', subscriptions.asked),
    counter('tideway_upstreams_granted_total', 'Subscriptions that were granted.', subscriptions.granted),
    counter(
      'tideway_questions_unanswered_total',
      'Questions that a peer did not answer in time.',
      subscriptions.unanswered,
    ),
    counter('tideway_switches_total', 'Changes of upstream, by cause.', replicas.switches.samples()),
    counter(
      'tideway_moves_refused_total',
      'Better upstreams that would not have it, or could not be had.',
      replicas.movesRefused,
    ),
    counter('tideway_splices_total', 'New epochs that were spliced to what players had.', replicas.splices),
    counter('tideway_gaps_total', 'Times that frames were missing which no peer had.', replicas.gaps),
    counter(
      'tideway_fences_total',
      'Subscriptions refused since this node knows a higher epoch.',
      replicas.fences,
    ),
    counter('tideway_lookups_total', 'Looks for the source of a stream.', sources.lookups),
    counter(
      'tideway_lookups_spared_total',
      'Looks spared since nobody had the stream a moment ago.',
      sources.spared,
    ),
    counter('tideway_who_has_total', 'Peers asked while the registry was away.', sources.asked),
    gauge('tideway_downstreams', 'Subscriptions that this node feeds.', downstreams.count),
    counter(
      'tideway_downstreams_granted_total',
      'Subscriptions that this node granted.',
      downstreams.granted,
    ),
    counter(
      'tideway_downstreams_declined_total',
      'Subscriptions declined, by why.',
      downstreams.declined.samples(),
    ),
    gauge(
      'tideway_wants',
      'Streams that this node was asked to have ready, once for each asker.',
      wants.count,
    ),
    counter('tideway_wants_taken_total', 'Times that it was asked and took it on.', wants.taken),
    counter('tideway_wants_refused_total', 'Times that it did not, by reason.', wants.refused.samples()),
    counter(
      'tideway_wants_sought_again_total',
      'Looks for a wanted stream that was not found before.',
      wants.soughtAgain,
    ),
    counter(
      'tideway_log_lines_left_out_total',
      'Lines about peers that were left out of the log, since there was one of the kind a moment before.',
      of.linesLeftOut,
    ),
    ...hopMetrics(replicas, maxStreams),
    ...questionMetrics(of),
  ];
}

/** How streams come from the nodes that feed this one. */
function hopMetrics(replicas: MeshSources['replicas'], maxStreams: number): MetricFamily[] {
  const samples: MetricSample[] = [];
  let worstMs = 0;
  let otherMs: number | undefined;
  for (const { key, from, delayMs } of replicas.hopDelays()) {
    worstMs = Math.max(worstMs, delayMs);
    if (samples.length < maxStreams) samples.push({ labels: { stream: key, from }, value: delayMs / 1_000 });
    else otherMs = Math.max(otherMs ?? 0, delayMs);
  }
  if (otherMs !== undefined) {
    samples.push({ labels: { stream: 'other', from: 'other' }, value: otherMs / 1_000 });
  }
  return [
    gauge(
      'tideway_hop_delay_seconds',
      'From the arrival of a frame at the node that feeds this one to its arrival here.',
      samples,
    ),
    gauge('tideway_hop_delay_max_seconds', 'The longest of all streams.', worstMs / 1_000),
    counter(
      'tideway_hop_resumes_total',
      'Times that a stream went on from another node than before.',
      replicas.resumes,
    ),
    counter(
      'tideway_hop_skipped_frames_total',
      'Frames that nodes which feed this one left out on purpose.',
      replicas.skippedFrames,
    ),
  ];
}

/** What nodes ask each other for the state API. */
function questionMetrics({ questions, answers }: MeshSources): MetricFamily[] {
  return [
    counter('tideway_mesh_queries_asked_total', 'Questions that peers were asked.', questions.asked),
    counter('tideway_mesh_queries_answered_total', 'Answers that came whole.', questions.whole),
    counter(
      'tideway_mesh_queries_failed_total',
      'Questions without a whole answer, by why.',
      questions.failed.samples(),
    ),
    counter(
      'tideway_mesh_replies_unexpected_total',
      'Parts of answers to no question that is open.',
      questions.unexpected,
    ),
    counter(
      'tideway_mesh_replies_received_bytes_total',
      'Bytes of rows in answers of peers.',
      questions.receivedBytes,
    ),
    counter(
      'tideway_mesh_replies_answered_total',
      'Questions of peers that were answered.',
      answers.answered,
    ),
    counter(
      'tideway_mesh_replies_refused_total',
      'Questions of peers without a whole answer, by why.',
      answers.refused.samples(),
    ),
    counter('tideway_mesh_replies_sent_bytes_total', 'Bytes of rows in answers to peers.', answers.sentBytes),
    counter(
      'tideway_mesh_reply_rows_left_out_total',
      'Rows that were too large for an answer.',
      answers.rowsLeftOut,
    ),
  ];
}
