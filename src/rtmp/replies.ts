// What the server says in answer to commands, as RTMP messages. Pure; who says it when is the session's matter.
import type { Reason } from '../base/errors.ts';
import type { Amf0Input, Amf0Object, Amf0Value } from '../format/amf0.ts';
import { MEDIA_STREAM_ID, OUT_CHUNK_BYTES } from '../format/rtmp/chunk-writer.ts';
import {
  type Command,
  command,
  type RtmpMessage,
  setChunkSize,
  setPeerBandwidth,
  UserControl,
  userControl,
  windowAckSize,
} from '../format/rtmp/message.ts';
import { CAPS_RECONNECT } from './reconnect.ts';

/** Bytes between two acknowledgements, in both directions, until the peer asks for others. */
export const ACK_WINDOW_BYTES = 2_500_000;

/** Enhanced RTMP v2, FourCcInfoMask.CanForward: we pass every codec on and look into few. */
const CAN_FORWARD = 4;
/** Enhanced RTMP v2, CapsExMask: Reconnect requests are sent; Multitrack, ModEx and TimestampNanoOffset pass. */
const CAPS_EX = CAPS_RECONNECT | 0x02 | 0x04 | 0x08;
const ENHANCED_FIELDS = ['fourCcList', 'videoFourCcInfoMap', 'audioFourCcInfoMap', 'capsEx'];

/** The answer to `connect`; the last message is the result. */
export function connected(transactionId: number, commandObject: Amf0Object): RtmpMessage[] {
  const server = { fmsVer: 'FMS/3,5,7,7009', capabilities: 31, ...enhanced(commandObject) };
  const success = {
    level: 'status',
    code: 'NetConnection.Connect.Success',
    description: 'Connection succeeded.',
    objectEncoding: 0,
  };
  return [
    windowAckSize(ACK_WINDOW_BYTES),
    setPeerBandwidth(ACK_WINDOW_BYTES),
    setChunkSize(OUT_CHUNK_BYTES),
    result(transactionId, server, success),
  ];
}

/** Enhanced RTMP v2, "Enhancing NetConnection connect Command": only who asks is told. */
function enhanced(commandObject: Amf0Object): Readonly<Record<string, Amf0Input>> {
  if (!ENHANCED_FIELDS.some((field) => commandObject.has(field))) return {};
  const all = { '*': CAN_FORWARD };
  return { fourCcList: ['*'], videoFourCcInfoMap: all, audioFourCcInfoMap: all, capsEx: CAPS_EX };
}

/** `_result`: the call with this transaction id went well. */
function result(transactionId: number, ...values: readonly Amf0Input[]): RtmpMessage {
  return command(0, '_result', transactionId, ...values);
}

/** `onStatus` on a message stream (RTMP 1.0 §7.2.2). */
function status(code: string, description: string): RtmpMessage {
  return command(MEDIA_STREAM_ID, 'onStatus', 0, null, { level: 'status', code, description });
}

/** `onStatus` that says no. */
export function failure(code: string, why: Reason, streamId: number = MEDIA_STREAM_ID): RtmpMessage {
  return command(streamId, 'onStatus', 0, null, { level: 'error', code, description: why.message });
}

/** The status code by which encoders know why their publish is refused. */
export function publishRefusal(why: Reason): string {
  const isAboutName = why.code === 'publish.taken' || why.code.startsWith('stream-key.');
  return isAboutName ? 'NetStream.Publish.BadName' : 'NetStream.Publish.Denied';
}

/** The status code by which players know why their play is refused. */
export function playRefusal(why: Reason): string {
  const isAboutName = why.code === 'play.not-found' || why.code.startsWith('stream-key.');
  return isAboutName ? 'NetStream.Play.StreamNotFound' : 'NetStream.Play.Failed';
}

/**
 * Sends a player to another node. There is no standard for it: SRS says it so (`SrsRtmpServer::redirect`), on message
 * stream 0, its edges read `redirect2`, and Flash players connect to `redirect` and play the same name there. What knows
 * neither, such as ffmpeg, takes it for a no.
 * @param url `rtmp://host:port/app/name?query`, or rtmps
 */
export function playRedirected(url: string): RtmpMessage {
  const { protocol, host, pathname, search } = new URL(url);
  const [, app = ''] = pathname.split('/');
  return command(0, 'onStatus', 0, null, {
    level: 'error',
    code: 'NetConnection.Connect.Rejected',
    description: 'RTMP 302 Redirect',
    ex: { code: 302, redirect: `${protocol}//${host}/${app}${search}`, redirect2: url },
  });
}

/** Answers to commands that change nothing here; none for those that do, and for those that we don't know. */
export function courtesies({ name, transactionId, args }: Command): RtmpMessage[] {
  switch (name) {
    case 'createStream':
      return [result(transactionId, null, MEDIA_STREAM_ID)];
    case 'getStreamLength':
      return [result(transactionId, null, 0)];
    case 'releaseStream':
    case '_checkbw':
      return [result(transactionId, null, undefined)];
    case 'FCPublish':
      return [
        result(transactionId, null, undefined),
        fcCall('onFCPublish', 'NetStream.Publish.Start', args[1]),
      ];
    case 'FCUnpublish':
      return [
        result(transactionId, null, undefined),
        fcCall('onFCUnpublish', 'NetStream.Unpublish.Success', args[1]),
      ];
    default:
      return [];
  }
}

/** Flash Media Server answers FCPublish and FCUnpublish by a call of its own, which repeats the name. */
function fcCall(call: string, code: string, name: Amf0Value): RtmpMessage {
  const description = typeof name === 'string' ? name : '';
  return command(0, call, 0, null, { level: 'status', code, description });
}

export function publishStarted(): RtmpMessage[] {
  return [streamBegin(), status('NetStream.Publish.Start', 'Publishing.')];
}

export function unpublished(why: Reason): RtmpMessage {
  return status('NetStream.Unpublish.Success', why.message);
}

export function playStarted(): RtmpMessage[] {
  return [
    streamBegin(),
    status('NetStream.Play.Reset', 'Playing and resetting.'),
    status('NetStream.Play.Start', 'Playing.'),
  ];
}

/** Ends a play: players stop at one or the other of the three. */
export function playEnded(why: Reason): RtmpMessage[] {
  return [
    userControl(UserControl.streamEof, MEDIA_STREAM_ID),
    status('NetStream.Play.UnpublishNotify', why.message),
    status('NetStream.Play.Stop', why.message),
  ];
}

function streamBegin(): RtmpMessage {
  return userControl(UserControl.streamBegin, MEDIA_STREAM_ID);
}
