// Asks the node's API: addresses, the token, and what a refusal says. It never puts the token into an address.

/** A refusal of the API (RFC 9457), or of the way to it. */
export class ApiError extends Error {
  /** 0: no answer came. */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }

  /** Is it about who may ask? */
  get isLocked(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** Where the token is kept: for this tab, until it is closed. */
export interface TokenShelf {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

const TOKEN = 'tideway-token';
const PATIENCE_MS = 10_000;

export class Api {
  readonly #shelf: TokenShelf;
  readonly #base: string;

  /** @param base what the API's paths are resolved against */
  constructor(shelf: TokenShelf, base: string) {
    this.#shelf = shelf;
    this.#base = base;
  }

  get hasToken(): boolean {
    return this.#shelf.getItem(TOKEN) !== null;
  }

  /** '' forgets it. */
  useToken(token: string): void {
    if (token === '') this.#shelf.removeItem(TOKEN);
    else this.#shelf.setItem(TOKEN, token);
  }

  /**
   * @param path under `api/v1/`
   * @throws ApiError
   */
  async get<T>(path: string, signal: AbortSignal): Promise<T> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const response = await this.#fetch(path, { signal: patience, headers: { Accept: 'application/json' } });
    return (await response.json()) as T;
  }

  /** @throws ApiError */
  async delete(path: string): Promise<void> {
    await this.#fetch(path, { method: 'DELETE', signal: AbortSignal.timeout(PATIENCE_MS) });
  }

  /**
   * An event stream; ends with the signal, or with the node.
   * @throws ApiError
   */
  async stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#fetch(path, { signal, headers: { Accept: 'text/event-stream' } });
    if (!response.body) throw new ApiError(0, 'page.no-body', 'the node sent no event stream');
    return response.body;
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    const token = this.#shelf.getItem(TOKEN);
    if (token !== null) headers.set('Authorization', `Bearer ${token}`);
    let response: Response;
    try {
      response = await fetch(new URL(`api/v1/${path}`, this.#base), { ...init, headers, cache: 'no-store' });
    } catch {
      throw new ApiError(0, 'page.no-answer', 'the node does not answer');
    }
    if (response.ok) return response;
    throw await refusalOf(response);
  }
}

async function refusalOf(response: Response): Promise<ApiError> {
  const problem: unknown = await response.json().catch(() => undefined);
  const said = (name: string) => {
    const value = typeof problem === 'object' && problem !== null && Reflect.get(problem, name);
    return typeof value === 'string' ? value : undefined;
  };
  const { status } = response;
  return new ApiError(
    status,
    said('code') ?? `http.${status}`,
    said('detail') ?? `the node answered ${status}`,
  );
}
