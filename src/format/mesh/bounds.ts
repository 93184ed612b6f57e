// The numbers that frames may have between nodes: the one after the highest, and the difference of any two, are safe
// integers, too. Pure.

/** The highest seq of a frame. */
export const MAX_SEQ = Number.MAX_SAFE_INTEGER - 1;
/** A publication time is at most so far from 0, ms. */
export const MAX_DTS = 2 ** 51;
