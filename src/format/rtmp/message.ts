// What RTMP messages mean: their types, limits and payloads (RTMP 1.0 §5.4, §6, §7). Chunks are not its matter.
import { WireError } from '../../base/errors.ts';
import { type Amf0Input, type Amf0Value, decodeAll, encode } from '../amf0.ts';

/** Message types: RTMP 1.0 §5.4 and §7.1. */
export const MessageType = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowAckSize: 5,
  setPeerBandwidth: 6,
  audio: 8,
  video: 9,
  amf3Data: 15,
  amf3Command: 17,
  data: 18,
  command: 20,
  aggregate: 22,
} as const;

/** One whole message. The payload belongs to whoever holds the message. */
export interface RtmpMessage {
  readonly chunkStreamId: number;
  readonly type: number;
  /** 32-bit wire time in ms. */
  readonly timestamp: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Chunk stream of protocol control messages (§5.4), and the one that commands use by custom. */
const CONTROL_CHUNK_STREAM = 2;
const COMMAND_CHUNK_STREAM = 3;

const MAX_MEDIA_BYTES = 8 * 1024 * 1024;
const MAX_DATA_BYTES = 256 * 1024;
const MAX_COMMAND_BYTES = 64 * 1024;

/** The longest payload, in bytes, that a message of this type may have. */
export function maxPayloadBytes(type: number): number {
  switch (type) {
    case MessageType.audio:
    case MessageType.video:
    case MessageType.aggregate:
      return MAX_MEDIA_BYTES;
    case MessageType.data:
    case MessageType.amf3Data:
      return MAX_DATA_BYTES;
    default:
      return MAX_COMMAND_BYTES;
  }
}

// Protocol control, §5.4

export function setChunkSize(bytes: number): RtmpMessage {
  return control(MessageType.setChunkSize, bytes);
}

export function abort(chunkStreamId: number): RtmpMessage {
  return control(MessageType.abort, chunkStreamId);
}

/** @param receivedBytes counted from the first byte of the connection; taken modulo 2^32 */
export function acknowledgement(receivedBytes: number): RtmpMessage {
  return control(MessageType.acknowledgement, receivedBytes);
}

export function windowAckSize(bytes: number): RtmpMessage {
  return control(MessageType.windowAckSize, bytes);
}

/** Limit type 2, "dynamic", is what servers send (§5.4.5). */
export function setPeerBandwidth(bytes: number): RtmpMessage {
  return control(MessageType.setPeerBandwidth, bytes, 2);
}

/**
 * Reads the one number that types 1, 2, 3, 5 and 6 start with.
 * @throws WireError `rtmp.control-length`
 */
export function parseControl(message: RtmpMessage): number {
  return controlNumber(message, 0);
}

// User control, §7.1.7

export const UserControl = {
  streamBegin: 0,
  streamEof: 1,
  pingRequest: 6,
  pingResponse: 7,
} as const;

export interface UserControlEvent {
  readonly event: number;
  /** A stream id, or the time in a ping. */
  readonly value: number;
}

export function userControl(event: number, value: number): RtmpMessage {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(event, 0);
  payload.writeUInt32BE(value >>> 0, 2);
  return message(CONTROL_CHUNK_STREAM, MessageType.userControl, 0, payload);
}

/** @throws WireError `rtmp.control-length` */
export function parseUserControl(message: RtmpMessage): UserControlEvent {
  const value = controlNumber(message, 2);
  return { event: message.payload.readUInt16BE(0), value };
}

// Commands, §7.2

export interface Command {
  readonly name: string;
  readonly transactionId: number;
  /** What follows the transaction id; the first is the command object, or null. */
  readonly args: readonly Amf0Value[];
}

export function command(
  streamId: number,
  name: string,
  transactionId: number,
  ...args: readonly Amf0Input[]
): RtmpMessage {
  const payload = encode(name, transactionId, ...args);
  return message(COMMAND_CHUNK_STREAM, MessageType.command, streamId, payload);
}

/**
 * Reads a message of type 20, or 17, which is AMF0 behind a zero byte in all that encoders send.
 * @throws WireError `rtmp.command` for a name or transaction id of another type, or `amf0.*`
 */
export function parseCommand(message: RtmpMessage): Command {
  const [name, transactionId, ...args] = decodeAll(amf0Body(message));
  if (typeof name !== 'string' || typeof transactionId !== 'number') {
    throw new WireError('rtmp.command', 'a command starts with a name and a transaction id');
  }
  return { name, transactionId, args };
}

/** The AMF0 bytes of a command or data message: types 15 and 17 carry a format byte before them. */
export function amf0Body(message: RtmpMessage): Buffer {
  const { type, payload } = message;
  const isAmf3 = type === MessageType.amf3Command || type === MessageType.amf3Data;
  return isAmf3 && payload[0] === 0 ? payload.subarray(1) : payload;
}

// Aggregates, §7.1.6

/** Type, size, time, stream id: an FLV tag head. After the body comes a back pointer. */
const TAG_HEAD_BYTES = 11;
const BACK_POINTER_BYTES = 4;
/** Real aggregates hold some dozens; each part costs us an object, however few its bytes are. */
const MAX_AGGREGATE_PARTS = 4096;

/**
 * Splits an aggregate into its audio, video and data messages, in order. Times move by the difference between
 * the aggregate's time and its first part's; the aggregate's stream id holds for all parts. Payloads are copies.
 * @throws WireError `rtmp.aggregate`
 */
export function splitAggregate(aggregate: RtmpMessage): RtmpMessage[] {
  const { payload, timestamp, streamId, chunkStreamId } = aggregate;
  const parts: RtmpMessage[] = [];
  let offset: number | undefined;
  for (let at = 0; at < payload.length; ) {
    if (parts.length === MAX_AGGREGATE_PARTS) throw brokenAggregate(`more than ${MAX_AGGREGATE_PARTS} parts`);
    if (payload.length - at < TAG_HEAD_BYTES) throw brokenAggregate('a head is cut short');
    const type = payload.readUInt8(at);
    const size = payload.readUIntBE(at + 1, 3);
    const time = payload.readUIntBE(at + 4, 3) + payload.readUInt8(at + 7) * 0x1000000;
    const start = at + TAG_HEAD_BYTES;
    if (type !== MessageType.audio && type !== MessageType.video && type !== MessageType.data) {
      throw brokenAggregate(`a part has type ${type}`);
    }
    if (size > maxPayloadBytes(type) || size > payload.length - start) {
      throw brokenAggregate(`a part of type ${type} promises ${size} bytes`);
    }
    offset ??= timestamp - time;
    const body = Buffer.allocUnsafeSlow(size);
    payload.copy(body, 0, start, start + size);
    parts.push({ chunkStreamId, type, timestamp: (time + offset) >>> 0, streamId, payload: body });
    // Some encoders leave the back pointer of the last part out.
    at = start + size + BACK_POINTER_BYTES;
  }
  return parts;
}

function brokenAggregate(what: string): WireError {
  return new WireError('rtmp.aggregate', `an aggregate message is broken: ${what}`);
}

function control(type: number, value: number, ...tail: number[]): RtmpMessage {
  const payload = Buffer.from([0, 0, 0, 0, ...tail]);
  payload.writeUInt32BE(value >>> 0);
  return message(CONTROL_CHUNK_STREAM, type, 0, payload);
}

function controlNumber({ type, payload }: RtmpMessage, at: number): number {
  if (payload.length < at + 4) {
    const text = `a control message of type ${type} has ${payload.length} bytes, not ${at + 4}`;
    throw new WireError('rtmp.control-length', text, { type, bytes: payload.length });
  }
  return payload.readUInt32BE(at);
}

function message(chunkStreamId: number, type: number, streamId: number, payload: Buffer): RtmpMessage {
  return { chunkStreamId, type, timestamp: 0, streamId, payload };
}
