// What nobody may read in a log: the secrets that nodes of tests were given and their clients used, and whatever looks like
// one. Every line of every node is held against them as it is written (secrets-kept.ts fails the test that it is in).

/** Shorter ones could stand in a line by chance; the configuration takes none. */
export const MIN_SECRET_CHARS = 8;
/** Of the lines with a secret, this many are kept. */
const MAX_LEAKS = 10;
/** Any query, as none is ever logged; a JWT; a bearer token. */
const LOOKS_SECRET = /[?&][\w.-]+=[\w%+/-]{3}|\beyJ[\w-]{8,}\.|\bbearer [\w.~+/-]{8}/i;

export class SecretScan {
  readonly #secrets = new Set<string>();
  #leaks: string[] = [];

  /** Secrets that a client of a node uses. */
  use(...secrets: readonly string[]): void {
    for (const secret of secrets) {
      if (secret.length < MIN_SECRET_CHARS) throw new Error(`"${secret}" is too short to be looked for`);
      this.#add(secret);
    }
  }

  /** A line of a log. */
  line(text: string): void {
    if (LOOKS_SECRET.test(text)) this.#leaked(text);
    else this.output(text);
  }

  /** What else a program says; examples of URLs may be in it. */
  output(text: string): void {
    if ([...this.#secrets].some((secret) => text.includes(secret))) this.#leaked(text);
  }

  /** What had a secret in it since this was asked last. */
  takeLeaks(): readonly string[] {
    const leaks = this.#leaks;
    this.#leaks = [];
    return leaks;
  }

  /** Also as it stands in a URL, and in JSON. */
  #add(secret: string): void {
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      this.#secrets.add(form);
    }
  }

  #leaked(text: string): void {
    if (this.#leaks.length < MAX_LEAKS) this.#leaks.push(text);
  }
}

/** The one of this process, which is that of a test file. */
export const secretScan = new SecretScan();
