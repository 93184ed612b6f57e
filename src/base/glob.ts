// Which stream keys a rule of the operator's is for. Pure.

/**
 * Is the text like the glob? `*` stands for any run of characters, `/` among them; nothing else is special.
 * Takes each piece between stars at its first place, which leaves the most room for the others: no way back.
 */
export function isLike(text: string, glob: string): boolean {
  const [head = '', ...pieces] = glob.split('*');
  const tail = pieces.pop();
  if (tail === undefined) return text === head;
  if (!text.startsWith(head) || !text.endsWith(tail)) return false;
  let at = head.length;
  for (const piece of pieces) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= text.length - tail.length;
}
