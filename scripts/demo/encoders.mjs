// The streams of the demo, and what ffmpeg is told to make them: pure, but for one look at what this ffmpeg can do.
import { spawnSync } from 'node:child_process';

/** Wall time, and stream time below it. `\:` is one colon to drawtext. */
const CLOCK = [
  drawtext({ text: String.raw`%{localtime\:%T}`, fontsize: 64, y: '(h-text_h)/2' }),
  drawtext({ text: String.raw`%{pts\:hms}   frame %{n}`, fontsize: 18, y: 'h*0.66' }),
].join(',');

/** Each with the node that it is published to first, of three. */
export const STREAMS = [
  { key: 'live/clock', at: 0 },
  { key: 'live/bars', at: 2 },
  { key: 'radio/tone', at: 1 },
];

/** Whether this ffmpeg can draw text: it needs the filter, and a font. */
export function canDrawText() {
  const source = ['-f', 'lavfi', '-i', `color=size=64x64:rate=1,${CLOCK}`];
  const { status } = spawnSync('ffmpeg', [...QUIET, ...source, '-frames:v', '1', '-f', 'null', '-'], {
    stdio: 'ignore',
  });
  return status === 0;
}

/** @param clock `text`: drawn by drawtext; `built-in`: the small one that the test picture has anyway */
export function encoderArguments(key, url, { clock }) {
  return [...QUIET, ...sources(key, clock), '-f', 'flv', url];
}

const QUIET = ['-hide_banner', '-loglevel', 'warning', '-nostdin'];

function sources(key, clock) {
  switch (key) {
    case 'live/clock': {
      const picture = `testsrc2=size=640x360:rate=30${clock === 'text' ? `,${CLOCK}` : ''}`;
      return [
        ...source(picture),
        ...source('sine=frequency=440:beep_factor=4'),
        ...video('2000k', 30),
        ...aac,
      ];
    }
    case 'live/bars': {
      const picture = 'smptehdbars=size=480x270:rate=25,hue=h=20*t';
      return [...source(picture), ...source('sine=frequency=330'), ...video('500k', 50), ...aac];
    }
    case 'radio/tone':
      return [...source('sine=frequency=220:beep_factor=2'), ...aac];
  }
  throw new Error(`nobody knows what ${key} shows`);
}

function source(filter) {
  return ['-re', '-f', 'lavfi', '-i', filter];
}

function video(rate, gopFrames) {
  return [
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p'],
    ...['-b:v', rate, '-maxrate', rate, '-bufsize', rate, '-g', String(gopFrames)],
  ];
}

const aac = ['-c:a', 'aac', '-b:a', '96k', '-ar', '44100'];

function drawtext({ text, fontsize, y }) {
  const box = 'box=1:boxcolor=black@0.7:boxborderw=14';
  return `drawtext=font=monospace:text='${text}':fontsize=${fontsize}:fontcolor=white:${box}:x=(w-text_w)/2:y=${y}`;
}
