// A real OBS with a screen of its own that nobody sees, streaming two halves of colour and silence, as a newcomer's does.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from './programs.ts';
import { until } from './until.ts';

export const OBS_PICTURE = { width: 640, height: 360 };

const SCREEN = '1280x800x24';
const PATIENCE_MS = 30_000;

const ini = (sections: Record<string, Record<string, string | number | boolean>>) =>
  Object.entries(sections)
    .map(
      ([name, keys]) =>
        `[${name}]\n${Object.entries(keys)
          .map(([key, value]) => `${key}=${value}\n`)
          .join('')}`,
    )
    .join('\n');

/** What OBS writes when its first-run questions were answered. */
const GLOBAL = ini({
  General: { FirstRun: true, EnableAutoUpdates: false, LastVersion: 486539264, InfoIncrement: 100 },
  Basic: { Profile: 'p', ProfileDir: 'p', SceneCollection: 's', SceneCollectionFile: 's' },
});

/** Only what a machine without a GPU needs differs from OBS's own defaults; reconnects are its defaults: 2 s, 25 times. */
const PROFILE = ini({
  General: { Name: 'p' },
  Output: { Mode: 'Simple' },
  SimpleOutput: { StreamEncoder: 'x264', Preset: 'ultrafast', VBitrate: 500, ABitrate: 64 },
  Video: {
    BaseCX: OBS_PICTURE.width,
    BaseCY: OBS_PICTURE.height,
    OutputCX: OBS_PICTURE.width,
    OutputCY: OBS_PICTURE.height,
    FPSCommon: 30,
  },
});

/** Red on the left, blue on the right. Colours are 0xAABBGGRR. */
const SCENES = {
  name: 's',
  current_scene: 'Scene',
  current_program_scene: 'Scene',
  scene_order: [{ name: 'Scene' }],
  sources: [
    {
      id: 'scene',
      name: 'Scene',
      settings: { id_counter: 2, items: [half('Red', 1, 0), half('Blue', 2, 320)] },
    },
    { id: 'color_source_v3', name: 'Red', settings: { color: 0xff0000ff, width: 320, height: 360 } },
    { id: 'color_source_v3', name: 'Blue', settings: { color: 0xffff0000, width: 320, height: 360 } },
  ],
};

function half(name: string, id: number, x: number) {
  return { name, id, visible: true, align: 5, pos: { x, y: 0 }, scale: { x: 1, y: 1 } };
}

/** OBS and its screen, until it is disposed of; its home goes with it. */
export class Obs implements AsyncDisposable {
  readonly #home: string;
  readonly #screen: Program;
  readonly #obs: Program;

  private constructor(home: string, screen: Program, obs: Program) {
    this.#home = home;
    this.#screen = screen;
    this.#obs = obs;
  }

  /** Starts it; it begins to stream by itself. */
  static async streaming(server: string, key: string): Promise<Obs> {
    const home = mkdtempSync(join(tmpdir(), 'tideway-obs-'));
    const config = join(home, '.config/obs-studio');
    const profile = join(config, 'basic/profiles/p');
    mkdirSync(profile, { recursive: true });
    mkdirSync(join(config, 'basic/scenes'), { recursive: true });
    writeFileSync(join(config, 'global.ini'), GLOBAL);
    writeFileSync(join(profile, 'basic.ini'), PROFILE);
    const service = { type: 'rtmp_custom', settings: { server, key, use_auth: false } };
    writeFileSync(join(profile, 'service.json'), JSON.stringify(service));
    writeFileSync(join(config, 'basic/scenes/s.json'), JSON.stringify(SCENES));

    // It picks a free display, and says its number where we can read it.
    const screen = new Program('Xvfb', ['-displayfd', '2', '-screen', '0', SCREEN, '-nolisten', 'tcp']);
    const display = await until('there is a screen', () => /^\d+$/m.exec(screen.stderr)?.[0], PATIENCE_MS);
    const environment = [`HOME=${home}`, `XDG_RUNTIME_DIR=${home}`, `DISPLAY=:${display}`];
    const obs = new Program('env', [
      ...['-u', 'XDG_CONFIG_HOME', ...environment, 'LIBGL_ALWAYS_SOFTWARE=1', 'QT_QPA_PLATFORM=xcb'],
      ...['obs', '--startstreaming', '--profile', 'p', '--collection', 's', '--multi'],
    ]);
    return new Obs(home, screen, obs);
  }

  /** The end of what it says. */
  get log(): string {
    return this.#obs.stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#obs.kill();
    await this.#screen.kill();
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 10 });
  }
}
