// Numbers drawn from names: the same ones on every node, and evenly spread. What nodes have to decide alike without asking
// each other is decided by them. Pure.

/** 32 bits of a text (FNV-1a, then mixed so that every bit counts). */
export function lotOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return mixed(hash);
}

/** 32 bits of two such numbers. */
export function lotOfBoth(a: number, b: number): number {
  return mixed(a ^ Math.imul(b, 0x9e3779b1));
}

/** The finish of MurmurHash3. */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
