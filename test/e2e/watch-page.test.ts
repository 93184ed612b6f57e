// The watch page in a real browser: it lists, plays, says what is the matter, and comes back by itself.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { freePorts } from '../support/free-ports.ts';
import { Program, run } from '../support/programs.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { secretScan } from '../support/secrets.ts';
import { type SourceName, Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';
import { DESKTOP, WatchBrowser } from '../support/watch-browser.ts';

const TIDEWAY = fileURLToPath(new URL('../../bin/tideway.js', import.meta.url));
const PATIENCE_MS = 30_000;
const PHONE = { width: 360, height: 740 };

let node: RunningNode;
let browser: WatchBrowser;
const sources = new Sources();

beforeAll(async () => {
  // A publisher that stops is over at once; one that is lost is waited for.
  node = await runNode({ 'publish.holdAfterStopMs': '0', 'publish.holdMs': '60000' });
  browser = await WatchBrowser.start();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await node?.stop();
  sources[Symbol.dispose]();
});

type Ports = Pick<RunningNode, 'rtmpPort' | 'httpPort'>;

/** Publishes a source over and over, at its own pace; resolves when it can be played. */
async function publish(
  key: string,
  name: SourceName = 'audio and video',
  { rtmpPort, httpPort }: Ports = node,
): Promise<Program> {
  const { path } = await sources.get(name);
  const url = `rtmp://127.0.0.1:${rtmpPort}/${key}`;
  const endless = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', path, '-c', 'copy', '-f', 'flv', url];
  const program = new Program('ffmpeg', endless);
  await until(
    `${key} is live`,
    async () => {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/watch/streams`);
      const { streams } = (await answer.json()) as { streams: { key: string; state: string }[] };
      return streams.some((stream) => stream.key === key && stream.state === 'live');
    },
    PATIENCE_MS,
  );
  return program;
}

function pageUrl(key = ''): string {
  return `http://127.0.0.1:${node.httpPort}/watch/${key && `#${key}`}`;
}

/** Lines of the node's log about one stream's players. */
function playLines(event: 'play.start' | 'play.end', stream: string) {
  return node.lines.filter((line) => line.event === event && line.stream === stream);
}

test('the page lists what is live and plays it', async () => {
  await using _publisher = await publish('live/show');
  await using watch = await browser.open(pageUrl('live/show'));
  await watch.plays();
  await watch.says(/^$/);
  const { page } = watch;
  expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('live/show');
  const card = page.getByRole('navigation', { name: 'Live now' }).getByRole('link', { name: 'live/show' });
  expect(await card.getAttribute('aria-current')).toBe('true');
  await until('its codecs are listed', async () => (await card.innerText()).includes('H.264 + AAC'));
  expect(
    await watch.evaluate(
      `[document.querySelector('video').videoWidth, document.querySelector('video').videoHeight]`,
    ),
  ).toEqual([320, 180]);
  expect(await watch.colours()).toBeGreaterThan(8);
  expect(await watch.latency()).toBeLessThan(4);
  const joinMs = await watch.evaluate<number>('window.firstFrameMs');
  expect(joinMs).toBeLessThan(10_000);
  expect(watch.errors).toEqual([]);
});

test('it plays on when the publisher was killed and comes back, on the same connection', async () => {
  const key = 'live/killed';
  await using first = await publish(key);
  await using watch = await browser.open(pageUrl(key));
  await watch.plays();
  await first.kill();
  await watch.says(/The publisher is away/);
  await using _second = await publish(key);
  await watch.plays();
  await watch.says(/^$/);
  expect(await watch.colours()).toBeGreaterThan(8);
  expect(watch.documents).toBe(1);
  expect(playLines('play.start', key)).toHaveLength(1);
  expect(playLines('play.end', key)).toEqual([]);
  expect(watch.errors).toEqual([]);
});

/** Nor has its log a secret. */
async function stopped(node: Program): Promise<void> {
  const { code, stdout } = await node.interrupt();
  expect(code).toBe(0);
  for (const line of stdout.toString().split('\n')) secretScan.line(line);
}

test('it plays again by itself when the node was restarted', async () => {
  const [rtmpPort = 0, httpPort = 0] = await freePorts(2);
  const ports = { rtmpPort, httpPort };
  const start = async () => {
    const flags = ['--rtmp.port', `${rtmpPort}`, '--http.port', `${httpPort}`, '--mesh.port', '0'];
    const program = new Program(process.execPath, [TIDEWAY, 'start', '--host', '127.0.0.1', ...flags]);
    await until(
      'the node is ready',
      async () => {
        const answer = await fetch(`http://127.0.0.1:${httpPort}/readyz`).catch(() => undefined);
        return answer?.ok;
      },
      PATIENCE_MS,
    );
    return program;
  };
  const key = 'live/restarted';
  await using before = await start();
  await using publisherBefore = await publish(key, 'audio and video', ports);
  await using watch = await browser.open(`http://127.0.0.1:${httpPort}/watch/#${key}`);
  await watch.plays();
  await stopped(before);
  await publisherBefore.kill();
  await watch.says(/The node is away/);
  await using after = await start();
  await using _publisherAfter = await publish(key, 'audio and video', ports);
  await watch.plays();
  await watch.says(/^$/);
  await watch.page.getByRole('link', { name: key }).waitFor();
  expect(watch.documents).toBe(1);
  await stopped(after);
});

test.each<[SourceName, RegExp, number]>([
  ['audio only', /Sound only/, 0],
  ['video only', /^$/, 320],
])('it plays %s', async (name, text, width) => {
  const key = `live/${name.replaceAll(' ', '-')}`;
  await using _publisher = await publish(key, name);
  await using watch = await browser.open(pageUrl(key));
  await watch.plays();
  await watch.says(text);
  expect(await watch.evaluate(`document.querySelector('video').videoWidth`)).toBe(width);
  // Only what has sound can have it turned on.
  const unmute = watch.page.getByRole('button', { name: 'Turn sound on' });
  await until('the button for sound', async () => (await unmute.isVisible()) === (width === 0));
  expect(watch.errors).toEqual([]);
});

test('mpegts.js plays WS-FLV on the page, under its content security policy', async () => {
  const key = 'live/ws';
  await using _publisher = await publish(key);
  await using watch = await browser.open(pageUrl('live/nothing-here'));
  await watch.evaluate(`(() => {
    const video = document.createElement('video');
    video.muted = true;
    document.querySelector('video').replaceWith(video);
    const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: '${node.wsUrl(key)}' });
    player.attachMediaElement(video);
    player.load();
    void player.play();
  })()`);
  await watch.plays();
  expect(await watch.colours()).toBeGreaterThan(8);
  expect(playLines('play.start', key)).toMatchObject([{ format: 'ws-flv' }]);
  expect(watch.errors.filter((error) => error.includes('CSP'))).toEqual([]);
});

test('a pause stops the load, and play goes on live', async () => {
  const key = 'live/paused';
  await using _publisher = await publish(key);
  await using watch = await browser.open(pageUrl(key));
  await watch.plays();
  await watch.evaluate(`document.querySelector('video').pause()`);
  const resume = watch.page.getByRole('button', { name: 'Play live' });
  await resume.waitFor();
  await until('the node sees the player leave', () => playLines('play.end', key).length === 1);
  await resume.click();
  await watch.plays();
  await watch.says(/^$/);
  expect(await watch.latency()).toBeLessThan(4);
  expect(watch.errors).toEqual([]);
});

test('a stream that ended is told so, and plays again when it is back', async () => {
  const key = 'live/ended';
  await using first = await publish(key);
  await using watch = await browser.open(pageUrl(key));
  await watch.plays();
  await first.interrupt();
  await watch.says(/The stream has ended/);
  await using _second = await publish(key);
  await watch.plays();
  await watch.says(/^$/);
  expect(watch.documents).toBe(1);
});

test('a stream that the browser cannot decode is told so, and the next one that it can plays', async () => {
  const key = 'live/codecs';
  // mpegts.js itself refuses H.263; HEVC is refused by the browser.
  await using old = new Program('ffmpeg', [
    ...['-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'],
    ...['-c:v', 'flv', '-g', '25', '-f', 'flv', node.rtmpUrl(key)],
  ]);
  await using watch = await browser.open(pageUrl(key));
  await watch.says(/can't play this stream \(H\.263\)/);
  await old.interrupt();

  const hevc = await RtmpClient.publishing(node.rtmpPort, 'codecs');
  for (const payload of await hevcPayloads()) hevc.frame({ kind: FrameKind.video, timestamp: 0, payload });
  await watch.says(/can't play this stream \(HEVC\)/);
  hevc.destroy();

  await using _playable = await publish(key);
  await watch.plays();
  await watch.says(/^$/);
});

test.each(['dark', 'light'] as const)('in %s, an idle node says how to publish', async (colorScheme) => {
  const idle = await runNode();
  try {
    const url = `http://127.0.0.1:${idle.httpPort}/watch/`;
    await using watch = await browser.open(url, { colorScheme, size: PHONE });
    const { page } = watch;
    await page.getByRole('heading', { name: 'Nothing is live yet' }).waitFor();
    const text = await page.getByRole('main').innerText();
    expect(text).toContain(`\nrtmp://127.0.0.1:${idle.rtmpPort}/live\n`);
    expect(text).toMatch(/Stream key\s+demo\s/);
    expect(text).toMatch(/ffmpeg -re .* -f flv "rtmp:\/\/127\.0\.0\.1:\d+\/live\/demo"/);
    expect(await watch.evaluate(OVERHANG)).toBe(0);
    await page.setViewportSize(DESKTOP);
    expect(await watch.evaluate(OVERHANG)).toBe(0);
    const [ground, ink] = await watch.evaluate<[number, number]>(BRIGHTNESS);
    expect(ground > ink).toBe(colorScheme === 'light');
    expect((Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05)).toBeGreaterThan(7);
    expect(watch.errors).toEqual([]);
  } finally {
    await idle.stop();
  }
});

test('on a phone everything fits, and the keyboard reaches everything', async () => {
  const long = `live/${'long-stream.name_'.repeat(4).slice(0, 64)}`;
  await using _long = await publish(long);
  await using _other = await publish('live/other', 'video only');
  await using watch = await browser.open(pageUrl(long), { size: PHONE });
  const { page } = watch;
  await watch.plays(0.1);
  await page.getByRole('button', { name: 'Turn sound on' }).waitFor();
  await page.getByRole('link', { name: 'live/other' }).waitFor();
  expect(await watch.evaluate(OVERHANG)).toBe(0);

  const press = async (name: string) => {
    const isFocused = () =>
      watch.evaluate<boolean>(`document.activeElement?.innerText.startsWith('${name}') ?? false`);
    for (let tabs = 0; tabs < 20 && !(await isFocused()); tabs += 1) await page.keyboard.press('Tab');
    expect(await isFocused(), `Tab reaches ${name}`).toBe(true);
    await page.keyboard.press('Enter');
  };
  await press('Turn sound on');
  expect(await watch.evaluate(`document.querySelector('video').muted`)).toBe(false);
  await press('live/other');
  await page.getByRole('heading', { level: 1, name: 'live/other' }).waitFor();
  await watch.plays(0.1);
  expect(watch.documents).toBe(1);
  expect(watch.errors).toEqual([]);
});

/** Pixels by which the page is wider than its window. */
const OVERHANG = 'Math.max(0, document.documentElement.scrollWidth - innerWidth)';

/** Relative luminance (WCAG 2.2) of the page's ground and of its text. */
const BRIGHTNESS = `(() => {
  const { backgroundColor, color } = getComputedStyle(document.body);
  return [backgroundColor, color].map((text) => {
    const [red, green, blue] = text.match(/[0-9.]+/g).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  });
})()`;

/** Decoder set-up and a key frame of HEVC, in Enhanced RTMP: what ffmpeg 5.1 can't send. */
async function hevcPayloads(): Promise<Buffer[]> {
  const path = join(sources.folder, 'hevc.mp4');
  await run('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-frames:v', '1'],
    ...['-c:v', 'libx265', '-x265-params', 'log-level=none', '-tag:v', 'hvc1', path],
  ]);
  const mp4 = readFileSync(path);
  const name = mp4.indexOf('hvcC');
  const record = mp4.subarray(name + 4, name - 4 + mp4.readUInt32BE(name - 4));
  const media = mp4.subarray(mp4.indexOf('mdat') + 4);
  const head = (first: number) => Buffer.concat([Buffer.from([first]), Buffer.from('hvc1')]);
  return [Buffer.concat([head(0x90), record]), Buffer.concat([head(0x93), media])];
}
