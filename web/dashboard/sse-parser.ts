// Text of an event stream in, events out (HTML, "Server-sent events", 9.2.6), in any segmentation. Pure. The browser's own
// EventSource can't show a token, and a token in an address would be in every log.

export interface SseEvent {
  readonly name: string;
  readonly data: string;
}

/** Longer than any event of a node with thousands of streams. */
const MAX_EVENT_CHARS = 8 * 1024 * 1024;

export class SseParser {
  #rest = '';
  #isFirst = true;
  /** The last character was a CR: an LF that comes next belongs to it. */
  #afterCr = false;
  #name = '';
  #data: string[] = [];
  #chars = 0;

  /**
   * @returns the events that the text completes
   * @throws Error when an event is larger than any that a node sends; the parser is of no use afterwards
   */
  push(text: string): SseEvent[] {
    if (text === '') return [];
    let fresh = text;
    if (this.#isFirst && fresh.startsWith('\uFEFF')) fresh = fresh.slice(1);
    this.#isFirst = false;
    if (this.#afterCr && fresh.startsWith('\n')) fresh = fresh.slice(1);
    this.#afterCr = text.endsWith('\r');
    const lines = (this.#rest + fresh).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? '';
    const events: SseEvent[] = [];
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    if (this.#chars + this.#rest.length > MAX_EVENT_CHARS) throw new Error('an event is too large');
    return events;
  }

  #line(line: string): SseEvent | undefined {
    if (line === '') return this.#dispatch();
    this.#chars += line.length;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #dispatch(): SseEvent | undefined {
    const event = { name: this.#name || 'message', data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0;
    this.#name = '';
    this.#data = [];
    this.#chars = 0;
    return isEmpty ? undefined : event;
  }
}
