// Errors with stable codes. Every code is listed in docs/errors.md; a test holds the two together.

/** Why something ended or was refused: a stable code for machines, a sentence for people. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/** Values that explain an error. Never a secret, never a query string. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** The one error class: `code` is stable and documented, `message` says what, with which value, and what to do. */
export class TidewayError extends Error implements Reason {
  readonly code: string;
  readonly fields: ErrorFields;

  constructor(code: string, message: string, fields: ErrorFields = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.fields = fields;
  }
}

/** What was thrown, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A peer broke a rule of a wire format. It ends that one connection and nothing else. */
export class WireError extends TidewayError {}
