// Colours of a terminal, by what a text means. Pure.

/** bad: something is wrong; warn: look at it; good; dim: beside the point; head: of a table. */
export type Tone = 'bad' | 'warn' | 'good' | 'dim' | 'head';

/** Gives a text its colour. */
export type Paint = (text: string, tone: Tone) => string;

/** Select Graphic Rendition (ECMA-48 §8.3.117): colours that are readable on black and on white. */
const CODES: Readonly<Record<Tone, string>> = { bad: '31', warn: '33', good: '32', dim: '2', head: '1' };

/** No colours. */
export const plain: Paint = (text) => text;

const coloured: Paint = (text, tone) => `\u001b[${CODES[tone]}m${text}\u001b[0m`;

/** Colours on a terminal, unless NO_COLOR (https://no-color.org) or the terminal says otherwise. */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  env: { readonly [name: string]: string | undefined },
): Paint {
  const isWanted = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return isWanted ? coloured : plain;
}
