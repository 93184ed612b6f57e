// The watch page: what is live, the stream that was chosen by `#app/name`, and how to publish when nothing is live.
import { CODEC_NAMES } from './codec-names.ts';
import { LivePlayer } from './live-player.ts';

/** `GET /watch/streams` (src/http/api.ts). */
interface StreamList {
  readonly rtmpPort: number;
  /** For the stream that was asked for. */
  readonly publishHint: { readonly stream: string; readonly append: string; readonly note: string | null };
  readonly streams: readonly LiveStream[];
}

interface LiveStream {
  readonly key: string;
  readonly state: 'live' | 'held';
  readonly players: number;
  readonly video?: string;
  readonly audio?: string;
  readonly since: string;
  readonly playPath: string;
}

interface Chosen {
  readonly key: string;
  readonly player: LivePlayer;
  /** Its codecs as last listed; undefined: it was not. */
  codecs: string | undefined;
}

const POLL_MS = 2000;
const MAX_POLL_MS = 5000;
const POLL_PATIENCE_MS = 15_000;
const COPIED_MS = 2000;
const STREAM_KEY = /^[A-Za-z0-9_.-]{1,64}\/[A-Za-z0-9_.-]{1,64}$/;

const video = element('video', HTMLVideoElement);
const unmute = element('unmute', HTMLButtonElement);
const resume = element('resume', HTMLButtonElement);
const cards = new Map<string, HTMLLIElement>();
let chosen: Chosen | undefined;
let list: StreamList | undefined;
let pollMs = POLL_MS;
let pollTimer = 0;

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page lacks #${id}`);
}

/** Leaves an unchanged text alone, so that screen readers say each once. */
function setText(id: string, text: string): void {
  const target = element(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}

function show(id: string, isShown: boolean): void {
  element(id, HTMLElement).hidden = !isShown;
}

/** `#app/name`, or `?stream=app/name`. */
function askedKey(): string | undefined {
  const asked = location.hash.slice(1) || (new URLSearchParams(location.search).get('stream') ?? '');
  return STREAM_KEY.test(asked) ? asked : undefined;
}

function choose(key: string | undefined): void {
  if (key === chosen?.key) return;
  chosen?.player.close();
  chosen = undefined;
  show('stage', key !== undefined);
  document.title = key === undefined ? 'Tideway: watch' : `${key}: Tideway`;
  if (key !== undefined) {
    setText('stage-title', key);
    // The mark keeps it on this node: the page's policy lets it connect to no other, and proxies may speak TLS here alone.
    const player = new LivePlayer(video, `/${key}.flv?tw_hop=1`, () => {
      // What the list said is out of date by now.
      schedulePoll(0);
      drawScreen();
    });
    chosen = { key, player, codecs: codecsOf(listed(key)) };
  }
  draw();
}

function listed(key: string | undefined): LiveStream | undefined {
  return list?.streams.find((stream) => stream.key === key);
}

function schedulePoll(ms: number): void {
  window.clearTimeout(pollTimer);
  pollTimer = window.setTimeout(poll, ms);
}

async function poll(): Promise<void> {
  try {
    const answer = await fetch(`streams?publish=${hintedKey()}`, {
      cache: 'no-store',
      signal: AbortSignal.timeout(POLL_PATIENCE_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    list = await answer.json();
    pollMs = POLL_MS;
  } catch {
    list = undefined;
    pollMs = Math.min(pollMs * 1.5, MAX_POLL_MS);
  }
  followChosen();
  draw();
  // With nothing chosen and one stream to choose, there is nothing to ask.
  const only = list?.streams.length === 1 ? list.streams[0] : undefined;
  if (only && askedKey() === undefined && location.hash === '') location.replace(`#${only.key}`);
  schedulePoll(pollMs);
}

/** Tells the player what the list says of its stream. */
function followChosen(): void {
  if (!chosen) return;
  const stream = listed(chosen.key);
  chosen.player.isHeld = stream?.state === 'held';
  const codecs = codecsOf(stream);
  if (codecs !== undefined && codecs !== chosen.codecs) chosen.player.hurry();
  chosen.codecs = codecs;
}

function draw(): void {
  drawList();
  drawScreen();
  drawHints();
}

function drawList(): void {
  element('live', HTMLElement).classList.toggle('stale', !list);
  if (!list) {
    setText('node-state', pollMs === POLL_MS ? 'Looking for streams' : 'The node is away: trying again');
    setText('stage-facts', '');
    return;
  }
  const { streams } = list;
  setText('node-state', streams.length === 0 ? 'Nothing is live' : `${streams.length} live`);
  show('live', streams.length > 0);
  const keys = new Set(streams.map(({ key }) => key));
  for (const [key, card] of cards) {
    if (keys.has(key)) continue;
    card.remove();
    cards.delete(key);
  }
  for (const stream of streams) drawCard(stream);
  const shown = listed(chosen?.key);
  setText('stage-facts', shown ? facts(shown) : 'Not live now');
}

/** A card is kept while its stream lives, so that the keyboard's focus stays where it is. */
function drawCard(stream: LiveStream): void {
  let card = cards.get(stream.key);
  if (!card) {
    card = document.createElement('li');
    const link = document.createElement('a');
    link.href = `#${stream.key}`;
    const title = document.createElement('strong');
    title.textContent = stream.key;
    link.append(title, document.createElement('span'));
    card.append(link);
    element('streams', HTMLUListElement).append(card);
    cards.set(stream.key, card);
  }
  card.className = stream.state;
  card.querySelector('a')?.setAttribute('aria-current', String(stream.key === chosen?.key));
  const details = card.querySelector('span');
  if (details && details.textContent !== facts(stream)) details.textContent = facts(stream);
}

function codecsOf(stream: LiveStream | undefined): string | undefined {
  if (!stream) return undefined;
  return [stream.video, stream.audio]
    .flatMap((codec) => (codec ? (CODEC_NAMES[codec] ?? codec) : []))
    .join(' + ');
}

function facts(stream: LiveStream): string {
  const { state, players, since } = stream;
  const minutes = Math.floor((Date.now() - Date.parse(since)) / 60_000);
  const parts = [
    state === 'held' ? 'waits for its publisher' : minutes < 1 ? 'just started' : `for ${minutes} min`,
    codecsOf(stream),
    players === 1 ? '1 player' : `${players} players`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

function drawScreen(): void {
  const stream = listed(chosen?.key);
  const state = chosen?.player.state;
  // Without media, the browser's own controls are grey and its spinner turns under our text.
  video.controls = state === 'playing';
  if (resume.hidden === (state === 'paused')) {
    resume.hidden = state !== 'paused';
    // Who paused with the keyboard goes on with it.
    if (!resume.hidden && document.activeElement === video) resume.focus();
  }
  const hasSound = stream ? stream.audio !== undefined : true;
  unmute.hidden = state !== 'playing' || !video.muted || !hasSound;
  const text = chosen ? screenText(chosen.player, stream) : '';
  setText('screen-state', text);
  element('screen-state', HTMLElement).classList.toggle('busy', state === 'connecting');
}

function screenText({ state, hasPlayed }: LivePlayer, stream: LiveStream | undefined): string {
  switch (state) {
    case 'connecting':
      return 'Connecting';
    case 'playing':
      return stream && stream.video === undefined ? 'Sound only' : '';
    case 'waiting':
      return stream?.state === 'held'
        ? 'The publisher is away: the stream goes on here by itself'
        : 'Waiting for the stream';
    case 'paused':
      return '';
    case 'unplayable':
      return `This browser can't play this stream (${codecsOf(stream) || 'unknown codecs'})`;
    case 'unsupported':
      return "This browser can't play live streams here (no Media Source Extensions)";
    case 'away':
      if (!list) return 'The node is away: trying again';
      if (stream) return 'The connection was lost: trying again';
      return hasPlayed
        ? 'The stream has ended: when it is back, it plays here by itself'
        : 'Not live yet: when it starts, it plays here by itself';
  }
}

/** The stream that the hints are for. */
function hintedKey(): string {
  return chosen?.key ?? 'live/demo';
}

function drawHints(): void {
  const { stream, append, note } = list?.publishHint ?? {};
  const isOfAnother = stream !== hintedKey();
  show('hints', list?.streams.length === 0 && !isOfAnother && !chosen?.player.hasPlayed);
  if (!list || stream === undefined || isOfAnother) return;
  const port = list.rtmpPort === 1935 ? '' : `:${list.rtmpPort}`;
  const [app, name] = stream.split('/');
  const server = `rtmp://${location.hostname}${port}/${app}`;
  const key = `${name}${append}`;
  setText('obs-server', server);
  setText('obs-key', key);
  setText('ffmpeg-line', ffmpegLine(`${server}/${key}`));
  setText('key-note', note ?? '');
  show('key-note', typeof note === 'string');
}

/** A test picture with a tone, so that the line works without a file. */
function ffmpegLine(url: string): string {
  const inputs = '-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440';
  const picture = '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60';
  return `ffmpeg -re ${inputs} ${picture} -c:a aac -f flv "${url}"`;
}

/** Only a secure page (https, or this machine) may copy; elsewhere a click selects the whole text. */
function offerCopies(): void {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-copies]')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const text = element(button.dataset.copies ?? '', HTMLElement).textContent ?? '';
      const isCopied = await navigator.clipboard.writeText(text).then(
        () => true,
        () => false,
      );
      button.textContent = isCopied ? 'Copied' : 'Not allowed';
      window.setTimeout(() => {
        button.textContent = 'Copy';
      }, COPIED_MS);
    });
  }
}

unmute.addEventListener('click', () => {
  video.muted = false;
  unmute.hidden = true;
  video.focus();
});
resume.addEventListener('click', () => {
  chosen?.player.resume();
  video.focus();
});
video.addEventListener('volumechange', drawScreen);
window.addEventListener('hashchange', () => choose(askedKey()));

offerCopies();
choose(askedKey());
void poll();
