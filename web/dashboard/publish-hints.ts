// What a newcomer pastes into OBS or a shell to publish here. Pure.
import type { StatusAnswer } from '../../src/http/forms/nodes.ts';

export interface PublishHints {
  readonly server: string;
  readonly key: string;
  readonly ffmpeg: string;
}

const RTMP_PORT = 1935;

/** @param host by which the page was reached, as in an address: IPv6 in brackets */
export function publishHints(
  host: string,
  { rtmpPort, publishHint: { stream, append } }: Pick<StatusAnswer, 'rtmpPort' | 'publishHint'>,
): PublishHints {
  const port = rtmpPort === RTMP_PORT || rtmpPort === 0 ? '' : `:${rtmpPort}`;
  const [app = '', name = ''] = stream.split('/');
  const server = `rtmp://${host}${port}/${app}`;
  const key = `${name}${append}`;
  const inputs = '-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440';
  const picture = '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60';
  return { server, key, ffmpeg: `ffmpeg -re ${inputs} ${picture} -c:a aac -f flv "${server}/${key}"` };
}
