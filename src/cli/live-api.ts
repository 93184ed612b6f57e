// Listens to a node: what it tells by Server-Sent Events, event by event.
import { TidewayError } from '../base/errors.ts';
import { type ServerEvent, ServerEventReader } from '../format/server-events.ts';
import { addressOf, headersOf, type NodeApiOptions, refusalOf, unreachable } from './node-api.ts';

/** A node that takes longer to begin with an answer is not there. */
const BEGINS_WITHIN_MS = 10_000;

/**
 * What the node tells of some topics, until it ends, or the caller stops reading.
 * @param topics of http/forms/live.ts
 * @throws TidewayError `cli.unreachable`: it is not there, or was lost; `cli.refused`, `cli.not-tideway`, `sse.event-size`
 */
export async function* listen(
  node: NodeApiOptions,
  topics: readonly string[],
): AsyncGenerator<ServerEvent, void, void> {
  const url = addressOf(node, `api/v1/events?topics=${topics.join(',')}`);
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(new Error('no answer')), BEGINS_WITHIN_MS);
  try {
    const answer = await fetch(url, {
      headers: { ...headersOf(node), Accept: 'text/event-stream' },
      redirect: 'manual',
      signal: stop.signal,
    });
    clearTimeout(patience);
    if (answer.status !== 200) throw refusalOf(answer.status, await answer.text(), node.url);
    const reader = new ServerEventReader();
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) yield* reader.push(decoder.decode(chunk, { stream: true }));
  } catch (cause) {
    throw cause instanceof TidewayError ? cause : unreachable(url, cause);
  } finally {
    clearTimeout(patience);
    stop.abort();
  }
}
