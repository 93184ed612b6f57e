// Asking a client to connect again, there or elsewhere: Enhanced RTMP v2, "Reconnect Request". Pure; who is asked when is
// the session's matter.
import { isSecure, plainAddress } from '../base/address.ts';
import type { Reason } from '../base/errors.ts';
import { withSession } from '../base/redirect.ts';
import type { Amf0Object } from '../format/amf0.ts';
import { command, type RtmpMessage } from '../format/rtmp/message.ts';
import type { ConnectTarget } from './stream-name.ts';

/** Enhanced RTMP v2, CapsExMask.Reconnect: of `capsEx`, in `connect` and in the answer. */
export const CAPS_RECONNECT = 0x01;
/** Of the connection; message stream 1 has the media. */
const NET_CONNECTION = 0;

/**
 * What a client's `connect` says: `unasked` knows no such request. `here` can be asked to come back to the address that it
 * has only: it came by TLS, which ends in front of the nodes, and is not to be sent past that.
 */
export type Reconnects = 'unasked' | 'here' | 'anywhere';

export function reconnectsOf(commandObject: Amf0Object): Reconnects {
  const capsEx = commandObject.get('capsEx');
  if (typeof capsEx !== 'number' || (capsEx & CAPS_RECONNECT) === 0) return 'unasked';
  const tcUrl = commandObject.get('tcUrl');
  return typeof tcUrl === 'string' && /^rtmp:\/\//i.test(tcUrl) ? 'anywhere' : 'here';
}

/**
 * The request: the client connects again at its next key frame, and lets this connection go.
 * @param tcUrl where to; undefined: to the address that it has
 */
export function reconnectRequest(why: Reason, tcUrl: string | undefined): RtmpMessage {
  return command(NET_CONNECTION, 'onStatus', 0, null, {
    level: 'status',
    code: 'NetConnection.Connect.ReconnectRequest',
    description: why.message,
    ...(tcUrl !== undefined && { tcUrl }),
  });
}

/**
 * What a client had connected to, at another node. It has the client's own query, which may hold its secret, and the id of
 * its session.
 * @param address "host:port", or "rtmps://host:port"
 */
export function tcUrlAt(address: string, { app, query }: ConnectTarget, session: string): string {
  return `rtmp${isSecure(address) ? 's' : ''}://${plainAddress(address)}/${app}?${withSession(query, session)}`;
}
