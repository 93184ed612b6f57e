// Control messages and their bytes: one msgpack map each, read under limits that hold for hostile input. What the
// messages mean is control.ts's.
import { Packr } from 'msgpackr';
import { WireError } from '../../base/errors.ts';
import { wsMessage } from '../ws-frame.ts';
import { type ControlMessage, controlMessage } from './control.ts';
import { scan } from './scan.ts';

/** The most bytes of a control message. */
export const MAX_CONTROL_BYTES = 64 * 1024;

/** Without records, so maps that any msgpack reads. An int64 that no number holds becomes one that the schema refuses. */
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

/**
 * The body of a WebSocket message; a view that nobody writes to again.
 * @throws RangeError over 64 KiB: no message that the schema lets pass is
 */
export function encodeControl(message: ControlMessage): Buffer {
  // A field that is there and undefined would go out as an extension type.
  const given = Object.entries(message).filter(([, value]) => value !== undefined);
  const bytes = packr.pack(Object.fromEntries(given));
  if (bytes.length > MAX_CONTROL_BYTES) {
    throw new RangeError(`a control message '${message.is}' of ${bytes.length} bytes is too large`);
  }
  return bytes;
}

/** The same as one whole, unmasked WebSocket message (format/ws-frame.ts). */
export function frameControl(message: ControlMessage): Buffer {
  return wsMessage(encodeControl(message));
}

/**
 * Reads the body of a WebSocket message that is no media. The bytes may be reused after the call.
 * @throws WireError `mesh.too-large`, `mesh.schema`, or one of scan.ts
 */
export function decodeControl(bytes: Buffer): ControlMessage {
  if (bytes.length > MAX_CONTROL_BYTES) {
    throw new WireError(
      'mesh.too-large',
      `a control message of ${bytes.length} bytes is over the limit of ${MAX_CONTROL_BYTES}`,
      { size: bytes.length },
    );
  }
  scan(bytes);
  const read = controlMessage.safeParse(packr.unpack(bytes));
  if (read.success) return read.data;
  const at = read.error.issues[0]?.path.join('.') || 'is';
  throw new WireError('mesh.schema', `a control message breaks the form of its kind at '${at.slice(0, 64)}'`);
}
