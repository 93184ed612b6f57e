// One player of each format, all seen alike: which frames came, when, and how it ended.
import { MessageType, parseCommand, parseUserControl, UserControl } from '../../src/format/rtmp/message.ts';
import { type CapturedPlay, captureHttpFlv, captureWsFlv, type SeenFrame, seen } from './frames.ts';
import { field, RtmpClient } from './rtmp-client.ts';
import type { RunningNode } from './running-node.ts';
import { until } from './until.ts';

export const FORMATS = ['HTTP-FLV', 'WS-FLV', 'RTMP'] as const;
export type Format = (typeof FORMATS)[number];

/** RTMP, with what its end was told by: onStatus codes, and user control events. */
export interface CapturedRtmpPlay extends CapturedPlay {
  readonly statusCodes: readonly string[];
  readonly events: readonly number[];
}

/** Plays one format; resolves once the play was granted. */
export async function capture(node: RunningNode, key: string, format: Format): Promise<CapturedPlay> {
  if (format === 'RTMP') return captureRtmp(node, key);
  const play = format === 'HTTP-FLV' ? captureHttpFlv(node.flvUrl(key)) : captureWsFlv(node.wsUrl(key));
  await until(`${format} is granted`, () => play.status === (format === 'HTTP-FLV' ? 200 : 101));
  return play;
}

/** Plays all formats; resolves once all plays were granted. */
export async function captureAll(node: RunningNode, key: string): Promise<Record<Format, CapturedPlay>> {
  const [http, ws, rtmp] = await Promise.all(FORMATS.map((format) => capture(node, key, format)));
  if (!http || !ws || !rtmp) throw new Error('a format is missing');
  return { 'HTTP-FLV': http, 'WS-FLV': ws, RTMP: rtmp };
}

/** Plays RTMP. Messages that came before the end are all there when `ended` is set. */
export async function captureRtmp(node: RunningNode, key: string): Promise<CapturedRtmpPlay> {
  const [app = '', name = ''] = key.split('/');
  return captureRtmpOf(await RtmpClient.playing(node.rtmpPort, name, app));
}

/** All that comes of a play that has begun. */
export function captureRtmpOf(client: RtmpClient): CapturedRtmpPlay {
  const frames: SeenFrame[] = [];
  const statusCodes: string[] = [];
  const events: number[] = [];
  const take = () => {
    for (const message of client.messages.splice(0)) {
      if (message.type === MessageType.command) {
        statusCodes.push(String(field(parseCommand(message).args[1], 'code')));
      } else if (message.type === MessageType.userControl) {
        events.push(parseUserControl(message).event);
      } else if (message.type === 8 || message.type === 9 || message.type === 18) {
        frames.push(seen({ ...message, kind: message.type }));
      }
    }
  };
  client.socket.on('data', take);
  take();
  return {
    frames,
    statusCodes,
    events,
    status: 200,
    get ended() {
      return client.isClosed ? { code: 200 } : undefined;
    },
    close: () => client.destroy(),
  };
}

/** The event that ends an RTMP stream. */
export const STREAM_EOF: number = UserControl.streamEof;
