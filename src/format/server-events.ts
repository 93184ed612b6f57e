// Server-Sent Events (HTML 9.2) as the API tells them: events <-> text, in any segmentation. Ids and
// reconnection times are not read: who loses a connection looks anew.
import { WireError } from '../base/errors.ts';

/** One event. */
export interface ServerEvent {
  /** `message` where the text has none. */
  readonly name: string;
  readonly data: string;
}

/** Longer than any event of a node with thousands of streams. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;

/** One event as text. @param data one line */
export function serverEventText(name: string, id: number, data: string): string {
  return `event: ${name}\nid: ${id}\ndata: ${data}\n\n`;
}

/** Reads what comes over one connection. */
export class ServerEventReader {
  #rest = '';
  #isFirst = true;
  /** The last character was a CR: an LF that comes next belongs to it. */
  #afterCr = false;
  #name = '';
  #data: string[] = [];
  #chars = 0;

  /**
   * @returns the events that the text completes
   * @throws WireError `sse.event-size`: an event without end; the reader is dead afterwards
   */
  push(text: string): ServerEvent[] {
    if (text === '') return [];
    let fresh = text;
    if (this.#isFirst && fresh.startsWith('\uFEFF')) fresh = fresh.slice(1);
    this.#isFirst = false;
    if (this.#afterCr && fresh.startsWith('\n')) fresh = fresh.slice(1);
    this.#afterCr = text.endsWith('\r');
    const lines = (this.#rest + fresh).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? '';
    const events: ServerEvent[] = [];
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    if (this.#chars + this.#rest.length > MAX_EVENT_CHARS) {
      throw new WireError('sse.event-size', `an event of more than ${MAX_EVENT_CHARS} characters`);
    }
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') return this.#dispatch();
    this.#chars += line.length;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #dispatch(): ServerEvent | undefined {
    const event = { name: this.#name || 'message', data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0;
    this.#name = '';
    this.#data = [];
    this.#chars = 0;
    return isEmpty ? undefined : event;
  }
}
