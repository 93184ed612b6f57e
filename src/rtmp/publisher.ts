// An RTMP publisher: its media messages -> frames of a publication. State and commands are the session's matter.
import type { Reason } from '../base/errors.ts';
import { FrameKind } from '../format/frame.ts';
import { amf0Body, MessageType, type RtmpMessage, splitAggregate } from '../format/rtmp/message.ts';
import type { PublisherInlet } from '../media/publication.ts';

const SET_DATA_FRAME = amf0String('@setDataFrame');
const CLEAR_DATA_FRAME = amf0String('@clearDataFrame');

/** Is this a message that only a publisher may send? */
export function isMedia(type: number): boolean {
  switch (type) {
    case MessageType.audio:
    case MessageType.video:
    case MessageType.data:
    case MessageType.amf3Data:
    case MessageType.aggregate:
      return true;
    default:
      return false;
  }
}

export class RtmpPublisher {
  readonly #publication: PublisherInlet;

  constructor(publication: PublisherInlet) {
    this.#publication = publication;
  }

  /**
   * Takes a media message; others are ignored.
   * @throws WireError `rtmp.aggregate`
   */
  message(message: RtmpMessage): void {
    switch (message.type) {
      case MessageType.audio:
        this.#publication.append(FrameKind.audio, message.timestamp, message.payload);
        break;
      case MessageType.video:
        this.#publication.append(FrameKind.video, message.timestamp, message.payload);
        break;
      case MessageType.data:
      case MessageType.amf3Data:
        this.#appendData(message);
        break;
      case MessageType.aggregate:
        for (const part of splitAggregate(message)) this.message(part);
    }
  }

  /** Calm when repeated. */
  end(why: Reason): void {
    this.#publication.end(why);
  }

  /** `@setDataFrame` tells the server to keep what follows; what follows is the FLV script tag body. */
  #appendData(message: RtmpMessage): void {
    const body = amf0Body(message);
    if (startsWith(body, CLEAR_DATA_FRAME)) return;
    const payload = startsWith(body, SET_DATA_FRAME) ? body.subarray(SET_DATA_FRAME.length) : body;
    this.#publication.append(FrameKind.data, message.timestamp, payload);
  }
}

function startsWith(body: Buffer, start: Buffer): boolean {
  return body.length >= start.length && body.compare(start, 0, start.length, 0, start.length) === 0;
}

function amf0String(text: string): Buffer {
  return Buffer.concat([Buffer.from([2, 0, text.length]), Buffer.from(text)]);
}
