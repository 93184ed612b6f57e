// What streams can be sorted by, as it is typed.

/** Each with the API's own word. */
export const STREAM_SORTS = {
  key: 'key',
  players: 'players',
  bitrate: 'bitsPerS',
  nodes: 'nodes',
  since: 'since',
} as const;

export type StreamSort = keyof typeof STREAM_SORTS;
