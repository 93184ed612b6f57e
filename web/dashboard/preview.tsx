// Plays a stream from one node, in the page, when somebody asks for it: the watch page's player, with mpegts.js loaded by
// then. It hangs on the stream and the node alone, so that whatever else is drawn anew, the picture goes on.
import type Mpegts from 'mpegts.js';
import mpegtsUrl from 'mpegts.js/dist/mpegts.js?url';
import { useEffect, useRef, useState } from 'preact/hooks';
import { LivePlayer, type PlayState } from '../watch/live-player.ts';
import { originOf, playAt } from './node-address.ts';
import { useLive, useServices } from './services.ts';

declare global {
  interface Window {
    mpegts?: typeof Mpegts;
  }
}

interface PreviewProps {
  readonly streamKey: string;
  /** Those that have it. */
  readonly nodes: readonly string[];
  readonly isHeld: boolean;
  /** What is looked at elsewhere in the view: played from there, unless something plays already. */
  readonly suggested: string;
}

const WORDS: Readonly<Record<PlayState | 'no-player', string>> = {
  'no-player': 'The player could not be loaded: is the node there?',
  connecting: 'Connecting …',
  playing: '',
  waiting: 'Waiting for the stream',
  paused: '',
  away: 'Not connected: trying again',
  unplayable: "This browser can't play this stream",
  unsupported: "This browser can't play live streams here",
};

export function Preview({ streamKey, nodes, isHeld, suggested }: PreviewProps) {
  const { address } = useServices();
  const all = useLive(({ nodes: known }) => known);
  const [chosen, setChosen] = useState('');
  const [isOn, setOn] = useState(false);
  const own = [...all.values()].find(({ self }) => self)?.node;
  const from = chosen || (own !== undefined && nodes.includes(own) ? own : (nodes[0] ?? own ?? ''));
  // The choice outlives the node: a picture that stops is how one sees that it is gone.
  const having = [...new Set([...nodes, ...(from === '' || all.has(from) ? [] : [from])])].sort();
  const others = [...all.keys()].filter((node) => !having.includes(node)).sort();
  const play = playAt(streamKey, all.get(from), address);
  const [lastUrl, setLastUrl] = useState('');
  // A suggestion counts when it is made, and not again when play stops.
  useEffect(() => {
    if (!isOn && suggested !== '') setChosen(suggested);
  }, [suggested]);
  const url = play.at === 'url' ? play.url : all.has(from) ? '' : lastUrl;
  useEffect(() => {
    if (isOn) setLastUrl(url);
  }, [isOn, url]);
  return (
    <div class="preview">
      <div class="preview-bar">
        <label>
          From{' '}
          <select value={from} onChange={(event) => setChosen(event.currentTarget.value)}>
            <Choices label="They have it" nodes={having} own={own} />
            <Choices label="They would pull it" nodes={others} own={own} />
          </select>
        </label>
        <button
          type="button"
          class="primary"
          disabled={!isOn && play.at !== 'url'}
          onClick={() => {
            setChosen(from);
            setOn(!isOn);
          }}
        >
          {isOn ? 'Stop' : 'Play'}
        </button>
      </div>
      {isOn && url !== '' ? (
        <Screen key={url} url={url} label={`${streamKey} from ${from}`} isHeld={isHeld} />
      ) : (
        <div class="screen off">
          <p>{offWords(play.at, from)}</p>
          {play.at === 'not-listed' && (
            <p>
              <a href={`${originOf(all.get(from)?.http ?? '')}/watch/#${streamKey}`}>
                Watch it at the node itself
              </a>
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function Choices({
  label,
  nodes,
  own,
}: {
  label: string;
  nodes: readonly string[];
  own: string | undefined;
}) {
  if (nodes.length === 0) return null;
  return (
    <optgroup label={label}>
      {nodes.map((node) => (
        <option key={node} value={node}>
          {node === own ? `${node} (this one)` : node}
        </option>
      ))}
    </optgroup>
  );
}

function offWords(at: 'url' | 'not-listed' | 'no-door', from: string): string {
  switch (at) {
    case 'url':
      return 'A preview is a player like any other, and counts as one.';
    case 'not-listed':
      return `This page may not play from ${from}. If it joined after the page was loaded, reload it.`;
    case 'no-door':
      return from === '' ? 'No node has the stream now.' : `${from} has no HTTP door for players.`;
  }
}

function Screen({ url, label, isHeld }: { url: string; label: string; isHeld: boolean }) {
  const video = useRef<HTMLVideoElement>(null);
  const player = useRef<LivePlayer | undefined>(undefined);
  const [state, setState] = useState<PlayState | 'no-player'>('connecting');
  useEffect(() => {
    let isClosed = false;
    loadMpegts().then(
      () => {
        if (isClosed || !video.current) return;
        const playing = new LivePlayer(video.current, url, () => setState(playing.state));
        player.current = playing;
        setState(playing.state);
      },
      () => setState('no-player'),
    );
    return () => {
      isClosed = true;
      player.current?.close();
      player.current = undefined;
    };
  }, [url]);
  useEffect(() => {
    if (player.current) player.current.isHeld = isHeld;
  }, [isHeld]);
  return (
    <div class="screen">
      <video ref={video} aria-label={label} muted autoplay playsInline controls={state === 'playing'} />
      <p class="screen-words" role="status">
        {WORDS[state]}
      </p>
      {state === 'paused' && (
        <button type="button" class="screen-resume" onClick={() => player.current?.resume()}>
          Play live
        </button>
      )}
    </div>
  );
}

/** A classic script that sets a global, as the watch page has it; larger than the whole page, so only when it is needed. */
function loadMpegts(): Promise<void> {
  if (window.mpegts) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = mpegtsUrl;
    script.addEventListener('load', () => resolve());
    script.addEventListener('error', () => {
      script.remove();
      reject(new Error('mpegts.js is missing'));
    });
    document.head.append(script);
  });
}
