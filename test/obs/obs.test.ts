// Real OBS publishes to a node started as its user starts it, Chromium plays the watch page; the node dies and comes
// back, and both go on by themselves. Outside `npm test` for the size of OBS; docs/interop.md has what it said.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { freePorts } from '../support/free-ports.ts';
import { OBS_PICTURE, Obs } from '../support/obs.ts';
import { Program } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { WatchBrowser } from '../support/watch-browser.ts';

const TIDEWAY = fileURLToPath(new URL('../../bin/tideway.js', import.meta.url));
const PATIENCE_MS = 60_000;

/** Is the left half of the picture red, and the right one blue? */
const HALVES = `(() => {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  return [0.25, 0.75].map((part) => {
    const [red, green, blue] = context.getImageData(canvas.width * part, canvas.height / 2, 1, 1).data;
    return red > 150 && green < 80 && blue < 80 ? 'red' : blue > 150 && green < 80 && red < 80 ? 'blue' : [red, green, blue].join();
  });
})()`;

test('OBS is played in Chromium, and comes back by itself after the node was restarted', async () => {
  const [rtmpPort, httpPort] = await freePorts(2);
  const site = `http://127.0.0.1:${httpPort}`;
  const startNode = async () => {
    const ports = ['--rtmp.port', `${rtmpPort}`, '--http.port', `${httpPort}`, '--mesh.port', '0'];
    const program = new Program(process.execPath, [TIDEWAY, 'start', '--host', '127.0.0.1', ...ports]);
    await until('the node is ready', async () => (await fetch(`${site}/readyz`).catch(() => undefined))?.ok);
    return program;
  };
  const figures: Record<string, number | string> = {};
  const since = (startMs: number) => Number(((performance.now() - startMs) / 1000).toFixed(1));
  const isLive = async () =>
    (await fetch(`${site}/live/obs.flv`, { method: 'HEAD' }).catch(() => undefined))?.ok;

  await using before = await startNode();
  const startedMs = performance.now();
  await using obs = await Obs.streaming(`rtmp://127.0.0.1:${rtmpPort}/live`, 'obs');
  await until('OBS publishes', isLive, PATIENCE_MS).catch((error) => {
    throw new Error(`${error.message}\n${obs.log}`);
  });
  figures['OBS publishes after, s'] = since(startedMs);

  await using browser = await WatchBrowser.start();
  await using watch = await browser.open(`${site}/watch/#live/obs`);
  await watch.plays(3);
  figures['first picture after, ms'] = Math.round(await watch.evaluate<number>('window.firstFrameMs'));
  const size = `[document.querySelector('video').videoWidth, document.querySelector('video').videoHeight]`;
  expect(await watch.evaluate(size)).toEqual([OBS_PICTURE.width, OBS_PICTURE.height]);
  expect(await watch.evaluate(HALVES)).toEqual(['red', 'blue']);
  figures['latency in the page, s'] = Number((await watch.latency()).toFixed(1));
  const card = watch.page.getByRole('link', { name: 'live/obs' });
  expect(await card.innerText()).toContain('H.264 + AAC');

  await before.kill();
  await watch.says(/The node is away/);
  await using after = await startNode();
  const backMs = performance.now();
  await until('OBS publishes again', isLive, PATIENCE_MS);
  figures['OBS publishes again after the node is back, s'] = since(backMs);
  await watch.plays(3);
  figures['the page has played 3 s again after the node is back, s'] = since(backMs);
  await watch.says(/^$/);
  expect(await watch.evaluate(size)).toEqual([OBS_PICTURE.width, OBS_PICTURE.height]);
  expect(await watch.evaluate(HALVES)).toEqual(['red', 'blue']);
  expect(watch.documents).toBe(1);
  expect((await after.interrupt()).code).toBe(0);
  for (const [name, figure] of Object.entries(figures)) process.stdout.write(`${name}: ${figure}\n`);
});
