// The configuration that this node goes by now. It is read again when somebody asks for it: whole, or not at all. Who needs
// a part of it keeps that part, which tells what is in effect whenever it is read.
import { type Reason, TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Reloading, reloading } from '../config/reload.ts';
import type { Config } from '../config/schema.ts';
import { counter, type MetricFamily } from '../observe/metrics.ts';

export interface SettingsNeeds {
  readonly log: Log;
  /** Reads it anew, from wherever it came. @throws TidewayError `config.*` */
  readonly read: () => Promise<Config>;
  /** Makes ready what goes by it; read again or not, files that it names may be new. @throws TidewayError it can't be used */
  readonly prepare?: (config: Config) => Prepared;
  /** Told when something of it has changed. */
  readonly changed: (config: Config) => void;
}

/** What goes by a configuration that is not in effect yet. */
export interface Prepared {
  /** Keys of files that are not what they were. */
  readonly changed: readonly string[];
  /** It is in effect. Never throws. */
  take(): void;
}

export class Settings {
  readonly #needs: SettingsNeeds;
  #now: Config;
  #reading: Promise<Reloading> | undefined;
  #reloads = { done: 0, failed: 0 };

  constructor(config: Config, needs: SettingsNeeds) {
    this.#now = config;
    this.#needs = needs;
  }

  get now(): Config {
    return this.#now;
  }

  /** Something made of the configuration, as it is whenever one of its members is read; which members it has never changes. */
  part<T extends object>(of: (config: Config) => T): T {
    let made = { of: this.#now, value: of(this.#now) };
    const current = (): T => {
      if (made.of !== this.#now) made = { of: this.#now, value: of(this.#now) };
      return made.value;
    };
    const part = {};
    for (const name of Object.keys(made.value)) {
      Object.defineProperty(part, name, { enumerable: true, get: () => Reflect.get(current(), name) });
    }
    return part as T;
  }

  /**
   * Reads it again. Who asks meanwhile is told the same.
   * @param by who asked, for the log
   * @throws TidewayError `config.unreadable`, `config.syntax`, `config.invalid`, `auth.key`: nothing has changed then
   */
  reload(by: string): Promise<Reloading> {
    this.#reading ??= this.#reload(by).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  metrics(): MetricFamily[] {
    const { done, failed } = this.#reloads;
    return [
      counter(
        'tideway_config_reloads_total',
        'Times that the configuration was read again, by what came of it.',
        [
          { labels: { result: 'done' }, value: done },
          { labels: { result: 'failed' }, value: failed },
        ],
      ),
    ];
  }

  async #reload(by: string): Promise<Reloading> {
    const { log, read, prepare, changed } = this.#needs;
    try {
      const reading = reloading(this.#now, await read());
      const prepared = prepare?.(reading.config);
      const result = {
        ...reading,
        changed: [...new Set([...reading.changed, ...(prepared?.changed ?? [])])],
      };
      this.#now = result.config;
      prepared?.take();
      this.#reloads.done += 1;
      const names = { changed: result.changed.join(' '), needsRestart: result.needsRestart.join(' ') };
      log.info({ by, ...names }, 'config.reloaded');
      if (result.changed.length > 0) changed(this.#now);
      return result;
    } catch (error) {
      this.#reloads.failed += 1;
      log.error({ by, ...toldOf(error) }, 'config.reload-failed');
      throw error;
    }
  }
}

function toldOf(error: unknown): object {
  if (!(error instanceof TidewayError)) return { err: error };
  const { code, message: detail }: Reason = error;
  return { code, detail };
}
