// What a started node tells the person at the terminal: lines to paste into OBS, ffmpeg and a player.
import { HINT_STREAM, publishHint } from '../auth/publish-hint.ts';
import { defaultRules, letAnybodyIn, waysTo } from '../auth/rules.ts';
import { isAnyAddress } from '../base/address.ts';
import { parseStreamKey } from '../base/stream-key.ts';
import type { Config } from '../config/schema.ts';

interface BannerFacts {
  readonly config: Config;
  readonly version: string;
  /** Where the node listens, with the ports that it got. */
  readonly rtmpPort: number;
  readonly rtmpsPort: number;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** 0: a node alone. */
  readonly meshPort: number;
  /** An address of this machine that others reach; undefined if there is none. */
  readonly lanAddress: string | undefined;
}

/** The secret itself is never printed: the lines have a placeholder for it. */
export function banner(facts: BannerFacts): string {
  const { config, version, rtmpPort, rtmpsPort, httpPort, httpsPort, meshPort, lanAddress } = facts;
  const host = localHost(config.host);
  const rtmp = rtmpPort === 0 ? `rtmps://${host}:${rtmpsPort}` : `rtmp://${host}:${rtmpPort}`;
  const { app, name } = HINT_STREAM;
  const server = `${rtmp.replace(/^(rtmp:.*):1935$/, '$1')}/${app}`;
  const rules = config.auth.publish ?? defaultRules('publish', config.publish.secret);
  const key = parseStreamKey(app, name);
  const { append, note } = publishHint(key, waysTo(key, rules));
  const streamKey = `${name}${append}`;
  const cluster =
    meshPort === 0 ? '' : `It is a node of a cluster: the other nodes reach it at port ${meshPort}.\n`;
  const http = httpPort === 0 ? `https://${host}:${httpsPort}` : `http://${host}:${httpPort}`;
  const page = config.watch.enabled ? `  in a browser       ${http}/watch/\n` : '';
  const dashboard = config.dashboard.enabled ? `\nSee it\n  in a browser       ${http}/\n` : '';
  const elsewhere =
    lanAddress !== undefined && isAnyAddress(config.host)
      ? `\nFrom another machine: ${lanAddress} in place of ${host}.\n`
      : '';
  const open =
    letAnybodyIn(rules) && isAnyAddress(config.host)
      ? '\nWARNING: anybody who reaches this machine may publish. Set publish.secret or auth.publish, or host to 127.0.0.1.\n'
      : '';
  const publish =
    rtmpPort === 0 && rtmpsPort === 0
      ? `  HTTP-FLV, POST     ${http}/${key}.flv${append}`
      : `  OBS, server        ${server}
  OBS, stream key    ${streamKey}
  ffmpeg             ${ffmpegLine(`${server}/${streamKey}`)}`;
  const noted = note === null ? '' : `\n  ${note}`;
  return `
Tideway ${version} runs as ${config.node.id}. Ctrl-C stops it.
${cluster}
Publish
${publish}${noted}

Play
  URL                ${http}/${key}.flv
${page}${dashboard}${elsewhere}${open}
`;
}

/** A test picture with a tone, so that the line works without a file. */
function ffmpegLine(url: string): string {
  const inputs =
    '-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100';
  const video = '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60';
  return `ffmpeg -re ${inputs} ${video} -c:a aac -f flv "${url}"`;
}

/** An address to paste on this machine. */
function localHost(host: string): string {
  if (isAnyAddress(host)) return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
