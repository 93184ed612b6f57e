// What comes from a cluster, made safe to show: names, log fields and reasons may hold anything. Pure.

/** C0, DEL and C1, which a terminal obeys; marks that turn the direction of what follows, or that nobody sees. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const COMMANDS = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** One line that a terminal shows as it is: what it would obey becomes "?". */
export function safeText(text: string): string {
  return text.replace(COMMANDS, '?');
}

/**
 * A JSON document that a terminal shows as it is. It is the same document: what a terminal would obey, and JSON lets
 * stand, is written as an escape.
 * @param indent spaces; 0: one line
 */
export function safeJson(answer: unknown, indent: 0 | 2): string {
  const lines = JSON.stringify(answer, undefined, indent).split('\n');
  return lines.map((line) => line.replace(COMMANDS, escapeOf)).join('\n');
}

/** A character of JSON as an escape: `\u009b`. */
export function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
