// `tideway events --follow`: what happened, and then what happens, each once; over a lost connection, too.
import { type Clock, wait } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { ServerEvent } from '../format/server-events.ts';
import { type EventRow, eventRow } from '../http/forms/alarms.ts';

export interface FollowNeeds {
  readonly clock: Clock;
  /** The newest events, newest first. */
  readonly list: () => Promise<readonly EventRow[]>;
  /** What the node tells from now on; the first event is `hello`. */
  readonly listen: () => AsyncIterable<ServerEvent>;
  /** @returns whether anybody reads on */
  readonly tell: (event: EventRow) => Promise<'taken' | 'gone'>;
  /** One line for who waits. */
  readonly note: (line: string) => void;
}

const AGAIN_AFTER_MS = 1_000;
/** Of so many events it is known that they were told: more than a list has. */
const MAX_TOLD = 4_096;

/**
 * Tells events until nobody reads any more. A connection that is lost is made again, and what was missed meanwhile told.
 * @param wanted of all events, those that are told
 * @throws TidewayError while it has not been connected yet
 */
export async function follow(wanted: (event: EventRow) => boolean, needs: FollowNeeds): Promise<void> {
  const { clock, list, listen, tell, note } = needs;
  const told = new ToldEvents();
  let wasThere = false;
  const pass = async (event: EventRow) => (wanted(event) && told.isNew(event) ? await tell(event) : 'taken');
  for (;;) {
    try {
      for await (const { name, data } of listen()) {
        if (name === 'hello') {
          wasThere = true;
          for (const event of (await list()).toReversed()) if ((await pass(event)) === 'gone') return;
        }
        if (name === 'event' && (await pass(readEvent(data))) === 'gone') return;
      }
      note('the node has ended the connection');
    } catch (error) {
      if (!wasThere || !(error instanceof TidewayError)) throw error;
      note(error.message);
    }
    await wait(clock, AGAIN_AFTER_MS);
  }
}

/** @throws TidewayError `cli.not-tideway` */
function readEvent(text: string): EventRow {
  try {
    return eventRow.parse(JSON.parse(text));
  } catch (cause) {
    throw new TidewayError('cli.not-tideway', 'what it tells is no event of this version', {}, { cause });
  }
}

/** Which events were told: the list and what is told live overlap. */
class ToldEvents {
  /** The oldest first. */
  readonly #ids = new Set<string>();

  /** A restarted node counts anew, so its time is a part of what an event is known by. */
  isNew({ node, id, time }: EventRow): boolean {
    const name = `${node} ${id} ${time}`;
    if (this.#ids.has(name)) return false;
    this.#ids.add(name);
    const [oldest] = this.#ids;
    if (this.#ids.size > MAX_TOLD && oldest !== undefined) this.#ids.delete(oldest);
    return true;
  }
}
