// A count of bytes that whoever carries them adds to, and somebody else reads.

/** What went one way. */
export interface ByteCount {
  bytes: number;
}
