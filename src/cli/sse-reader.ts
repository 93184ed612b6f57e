// Server-Sent Events (HTML §9.2.6): text in any segmentation -> events. Pure; knows no reconnection times and ids, which
// nobody here needs.
import { TidewayError } from '../base/errors.ts';

export interface ServerEvent {
  /** "message" where the server gave none. */
  readonly name: string;
  readonly data: string;
}

/** A tree of a stream with many nodes is some hundred kilobytes. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;

export class SseReader {
  /** What came of a line that is not whole yet. */
  #rest = '';
  #name = '';
  #data: string[] = [];
  #chars = 0;

  /**
   * @returns the events that this text completes
   * @throws TidewayError `cli.not-tideway`: an event without end
   */
  push(text: string): ServerEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const events = lines.flatMap((line) => this.#read(line));
    if (this.#chars + this.#rest.length > MAX_EVENT_CHARS) {
      throw new TidewayError('cli.not-tideway', `an event of more than ${MAX_EVENT_CHARS} characters`);
    }
    return events;
  }

  #read(line: string): ServerEvent[] {
    if (line === '') return this.#end();
    this.#chars += line.length;
    const at = line.indexOf(':');
    const field = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    if (field === 'data') this.#data.push(value);
    return [];
  }

  #end(): ServerEvent[] {
    const [name, data] = [this.#name || 'message', this.#data];
    this.#name = '';
    this.#data = [];
    this.#chars = 0;
    return data.length === 0 ? [] : [{ name, data: data.join('\n') }];
  }
}
