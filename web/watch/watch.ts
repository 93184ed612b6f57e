// The watch page: what is live, the stream that was chosen by `#app/name`, and how to publish when nothing is live.
import { LivePlayer, type PlayState } from './live-player.ts';

/** `GET /watch/streams` (src/http/api.ts). */
interface StreamList {
  readonly rtmpPort: number;
  readonly publishKeyNeeded: boolean;
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

const POLL_MS = 2000;
const MAX_POLL_MS = 15_000;
const STREAM_KEY = /^[A-Za-z0-9_.-]{1,64}\/[A-Za-z0-9_.-]{1,64}$/;
const STATE_TEXT: Readonly<Record<PlayState, string>> = {
  connecting: 'Connecting',
  playing: '',
  away: 'The stream is away: trying again',
  unsupported: 'This browser cannot play live streams here (no Media Source Extensions)',
};

const video = element('video', HTMLVideoElement);
const unmute = element('unmute', HTMLButtonElement);
const cards = new Map<string, HTMLLIElement>();
let chosen: { key: string; player: LivePlayer } | undefined;
let list: StreamList | undefined;
let pollMs = POLL_MS;

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page lacks #${id}`);
}

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
    const player = new LivePlayer(video, `/${key}.flv`, (state) => {
      setText('screen-state', STATE_TEXT[state]);
      unmute.hidden = state !== 'playing' || !video.muted;
    });
    chosen = { key, player };
  }
  drawList();
}

async function poll(): Promise<void> {
  try {
    const answer = await fetch('streams', { cache: 'no-store', signal: AbortSignal.timeout(MAX_POLL_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    list = await answer.json();
    pollMs = POLL_MS;
  } catch {
    list = undefined;
    pollMs = Math.min(pollMs * 1.5, MAX_POLL_MS);
  }
  drawList();
  drawHints();
  // With nothing chosen and one stream to choose, there is nothing to ask.
  const only = list?.streams.length === 1 ? list.streams[0] : undefined;
  if (only && askedKey() === undefined && location.hash === '') location.replace(`#${only.key}`);
  window.setTimeout(poll, pollMs);
}

function drawList(): void {
  if (!list) {
    setText('node-state', 'The node is away: trying again');
    return;
  }
  const { streams } = list;
  setText('node-state', `${streams.length} live`);
  show('live', streams.length > 0);
  const keys = new Set(streams.map(({ key }) => key));
  for (const [key, card] of cards) {
    if (keys.has(key)) continue;
    card.remove();
    cards.delete(key);
  }
  for (const stream of streams) drawCard(stream);
  const shown = streams.find(({ key }) => key === chosen?.key);
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

function facts({ state, players, video: picture, audio, since }: LiveStream): string {
  const codecs = [picture, audio].filter((codec) => codec !== undefined).join(' + ');
  const minutes = Math.floor((Date.now() - Date.parse(since)) / 60_000);
  const parts = [
    state === 'held' ? 'waits for its publisher' : minutes < 1 ? 'just started' : `for ${minutes} min`,
    codecs,
    players === 1 ? '1 player' : `${players} players`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

function drawHints(): void {
  show('hints', list?.streams.length === 0 && chosen === undefined);
  if (!list) return;
  const port = list.rtmpPort === 1935 ? '' : `:${list.rtmpPort}`;
  const server = `rtmp://${location.hostname}${port}/live`;
  const key = list.publishKeyNeeded ? 'demo?key=YOUR-PUBLISH-SECRET' : 'demo';
  setText('obs-server', server);
  setText('obs-key', key);
  setText('ffmpeg-line', `ffmpeg -re -i FILE -c:v libx264 -g 60 -c:a aac -f flv "${server}/${key}"`);
  show('key-note', list.publishKeyNeeded);
}

unmute.addEventListener('click', () => {
  video.muted = false;
  unmute.hidden = true;
  video.focus();
});
video.addEventListener('volumechange', () => {
  if (!video.muted) unmute.hidden = true;
});
window.addEventListener('hashchange', () => {
  choose(askedKey());
  drawHints();
});

choose(askedKey());
void poll();
