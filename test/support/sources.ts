// Test pictures and tones, encoded once per run by ffmpeg into FLV files.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { framesOf, type SeenFrame } from './frames.ts';
import { run } from './programs.ts';

const PICTURE = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'];
const TONE = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100'];
/** H.264 with B-frames, a key frame each second. */
const H264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '2', '-g', '25', '-pix_fmt', 'yuv420p'];
const AAC = ['-c:a', 'aac', '-b:a', '64k'];

const RECIPES = {
  'audio and video': [...PICTURE, ...TONE, ...H264, ...AAC],
  'audio only': [...TONE, ...AAC],
  'video only': [...PICTURE, ...H264],
};

export type SourceName = keyof typeof RECIPES;
export const SOURCE_NAMES = Object.keys(RECIPES) as SourceName[];

/** An FLV file, and its audio and video frames in order, without decoder set-up. */
export interface Source {
  readonly path: string;
  readonly frames: readonly SeenFrame[];
}

/** A folder of sources that goes with the test. */
export class Sources implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'tideway-'));
  readonly #made = new Map<string, Promise<Source>>();

  /** Encodes it, the first time. */
  get(name: SourceName, seconds = 4): Promise<Source> {
    const path = join(this.folder, `${name.replaceAll(' ', '-')}-${seconds}.flv`);
    let made = this.#made.get(path);
    if (!made) {
      made = run('ffmpeg', ['-v', 'error', ...RECIPES[name], '-t', String(seconds), '-f', 'flv', path]).then(
        () => ({
          path,
          frames: mediaOf(framesOf(readFileSync(path))),
        }),
      );
      this.#made.set(path, made);
    }
    return made;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Audio and video without decoder set-up (packet type 0 of AVC and AAC) and without AVC's end of sequence (2), which
 * ffmpeg writes by itself at the end of every file.
 */
export function mediaOf(frames: readonly SeenFrame[]): SeenFrame[] {
  return frames.filter(({ kind, payload }) => kind !== 18 && payload[1] === 1);
}
