// Who is told which players there are, and by which ids: an interface; the lists are kept in node/.
import type { Reason } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Player } from './player.ts';

export interface SessionRegister {
  /** The id, for a session that begins now: another one, if it has come into use meanwhile. */
  free(session: string): string;
  joined(key: StreamKey, player: Player): void;
  /** Calm when it never joined. */
  left(player: Player, why: Reason): void;
}
