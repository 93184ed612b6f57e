// A terminal taken over for a while: another screen, no cursor, keys one by one. Whatever happens, it is given back as it
// was.

/** What of a process it needs. */
export interface ScreenProcess {
  readonly stdout: Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>;
  readonly stdin: Pick<NodeJS.ReadStream, 'on' | 'off' | 'resume' | 'pause'> &
    Partial<Pick<NodeJS.ReadStream, 'setRawMode' | 'isTTY'>>;
  on(event: 'exit', listener: () => void): unknown;
  off(event: 'exit', listener: () => void): unknown;
}

/** Private modes of xterm: 1049, the alternate screen; 25, the cursor. */
const TAKE = '\u001b[?1049h\u001b[?25l';
const GIVE_BACK = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
/** Where a terminal does not tell. */
const USUAL = { columns: 80, rows: 24 };

export class Screen implements Disposable {
  readonly #process: ScreenProcess;
  readonly #typed: (chunk: Buffer) => void;
  readonly #resized: () => void;
  /** Also when the process exits with an error on its way. */
  readonly #giveBack = () => this[Symbol.dispose]();
  #isOurs = true;

  /**
   * @param typed called with each key
   * @param resized called when the size has changed
   */
  constructor(
    process: ScreenProcess,
    { typed, resized }: { typed: (key: string) => void; resized: () => void },
  ) {
    this.#process = process;
    this.#resized = resized;
    this.#typed = (chunk) => {
      for (const key of chunk.toString('utf8')) typed(key);
    };
    process.on('exit', this.#giveBack);
    process.stdout.write(TAKE);
    process.stdout.on('resize', resized);
    if (process.stdin.isTTY) process.stdin.setRawMode?.(true);
    process.stdin.on('data', this.#typed);
    process.stdin.resume();
  }

  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = this.#process.stdout;
    return { columns: columns || USUAL.columns, rows: rows || USUAL.rows };
  }

  /** Draws over what was there: no line is cleared before it is written, so nothing flickers. */
  draw(lines: readonly string[]): void {
    if (!this.#isOurs) return;
    const text = lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n');
    this.#process.stdout.write(`${HOME}${text}${CLEAR_BELOW}`);
  }

  /** Gives the terminal back. Calm when repeated. */
  [Symbol.dispose](): void {
    if (!this.#isOurs) return;
    this.#isOurs = false;
    const { stdin, stdout } = this.#process;
    this.#process.off('exit', this.#giveBack);
    stdout.off('resize', this.#resized);
    stdin.off('data', this.#typed);
    if (stdin.isTTY) stdin.setRawMode?.(false);
    stdin.pause();
    stdout.write(GIVE_BACK);
  }
}
