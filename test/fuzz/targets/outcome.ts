// What a reader made of an input: a value, or the code of the error that it refused it by.
import { TidewayError, WireError } from '../../../src/base/errors.ts';
import { rule } from '../engine/target.ts';

/** A value, or why there is none. */
export type Outcome<T> = { readonly value: T; readonly code?: undefined } | { readonly code: string };

/** Reads; an error that is not one of ours goes on, and so is a find. */
export function outcomeOf<T>(read: () => T): Outcome<T> {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof TidewayError) return { code: error.code };
    throw error;
  }
}

/** What a reader of bytes handed out, piece by piece, until it refused one. */
export interface Read {
  readonly items: readonly string[];
  readonly code: string | undefined;
}

/**
 * Feeds a reader with pieces, each of them overwritten once it has been read, so that nothing of it may be kept.
 * @param push returns what the bytes completed, as text
 */
export function readPieces(
  pieces: readonly Buffer[],
  push: (bytes: Buffer, receivedBytes: number) => readonly string[],
): Read {
  const items: string[] = [];
  let receivedBytes = 0;
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    receivedBytes += piece.length;
    try {
      items.push(...push(lent, receivedBytes));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { items, code: error.code };
    } finally {
      lent.fill(0xa5);
    }
  }
  return { items, code: undefined };
}

/** However bytes are cut, they read alike; only what came in one piece with a violation may be lost with it. */
export function alike(whole: Read, cut: Read): void {
  rule(whole.code === cut.code, `in one piece it is ${whole.code}, in several ${cut.code}`);
  const isWhole = whole.code !== undefined || whole.items.length === cut.items.length;
  rule(isWhole, `in one piece it is ${whole.items.length} items, in several ${cut.items.length}`);
  whole.items.forEach((item, at) => {
    rule(item === cut.items[at], `item ${at} reads otherwise in several pieces`);
  });
}
