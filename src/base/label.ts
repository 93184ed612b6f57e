// What regions, zones and tags of nodes may be called.

const LABEL = /^[A-Za-z0-9_.+-]{1,64}$/;

/** Can it be the name of a region, of a zone or of a tag? That nothing is said is no label. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}
