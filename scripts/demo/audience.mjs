// The players of the demo: bare sockets that ask for HTTP-FLV or WS-FLV, read, and count. Most stay, some come and go,
// and a few read too slowly, as over a bad network. One that is cut off comes back, at a node that is there.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Cut off, or refused: how soon it asks again. */
const RETRY_MS = 1_000;
const STAY_MS = { least: 15_000, most: 60_000 };
const AWAY_MS = { least: 1_000, most: 8_000 };
/** How a slow player reads: this much, so often: about 1.3 Mbit/s, and the clock has 2. */
const SIP = { bytes: 33_000, everyMs: 200 };
/** The players arrive one after the other; one that does not get to play holds up the next for so long. */
const ARRIVES_WITHIN_MS = 300;
const PROTOCOLS = ['http-flv', 'ws-flv'];
const MAX_HEAD_BYTES = 8_192;

/** Who watches what, for each dozen players: the node by its place, and how they behave. */
const SEATS = [
  { key: 'live/clock', at: 1, habit: 'stays' },
  { key: 'live/clock', at: 2, habit: 'stays' },
  { key: 'live/clock', at: 0, habit: 'stays' },
  { key: 'live/clock', at: 2, habit: 'comes-and-goes' },
  { key: 'live/bars', at: 0, habit: 'stays' },
  { key: 'live/clock', at: 1, habit: 'comes-and-goes' },
  { key: 'live/bars', at: 1, habit: 'stays' },
  { key: 'live/clock', at: 2, habit: 'slow' },
  { key: 'radio/tone', at: 1, habit: 'stays' },
  { key: 'live/bars', at: 2, habit: 'comes-and-goes' },
  { key: 'live/clock', at: 1, habit: 'stays' },
  { key: 'radio/tone', at: 2, habit: 'stays' },
];

export class Audience {
  #nodes;
  #players;

  /** @param nodes functions of a place to the `{ http }` port there, or undefined while nobody serves there */
  constructor({ nodes, size }) {
    this.#nodes = nodes;
    this.#players = Array.from({ length: size }, (_, at) => {
      const seat = SEATS[at % SEATS.length];
      // By dozens, so that each kind of seat has both protocols.
      const protocol = PROTOCOLS[(at + Math.floor(at / SEATS.length)) % PROTOCOLS.length];
      return new AudiencePlayer({ ...seat, protocol, portAt: (place) => this.#portNear(place) });
    });
  }

  /** One after the other, as people come: so the node of the first asks for a stream first, and feeds the next. */
  async arrive() {
    for (const player of this.#players) {
      player.begin();
      const patience = new AbortController();
      await Promise.race([
        player.plays,
        delay(ARRIVES_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => {}),
      ]);
      patience.abort();
    }
  }

  /** Players that receive media just now. */
  get playing() {
    return this.#players.filter(({ isPlaying }) => isPlaying).length;
  }

  end() {
    for (const player of this.#players) player.end();
  }

  /** The node of that place, or the next one that is there. */
  #portNear(place) {
    const here = this.#nodes();
    return [0, 1, 2].map((step) => here[(place + step) % here.length]).find((port) => port !== undefined);
  }
}

class AudiencePlayer {
  #seat;
  #socket;
  #timer;
  #isOver = false;
  #onPlays;

  constructor(seat) {
    this.#seat = seat;
    this.isPlaying = false;
    /** Resolves when it plays for the first time. */
    this.plays = new Promise((resolve) => {
      this.#onPlays = resolve;
    });
  }

  begin() {
    if (this.#isOver) return;
    const { at, habit, portAt } = this.#seat;
    const port = portAt(at);
    if (port === undefined) {
      this.#later(RETRY_MS);
      return;
    }
    const socket = connect({ host: '127.0.0.1', port });
    this.#socket = socket;
    socket.on('error', () => {}); // 'close' follows.
    socket.once('close', () => this.#onClose(socket));
    socket.write(this.#request());
    this.#readHead(socket);
    if (habit === 'comes-and-goes') {
      const stay = setTimeout(() => socket.destroy(), between(STAY_MS));
      socket.once('close', () => clearTimeout(stay));
    }
  }

  end() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #onClose(socket) {
    if (this.#socket !== socket) return;
    const hasLeft = this.isPlaying && this.#seat.habit === 'comes-and-goes';
    this.isPlaying = false;
    this.#later(hasLeft ? between(AWAY_MS) : RETRY_MS);
  }

  #later(ms) {
    if (!this.#isOver) this.#timer = setTimeout(() => this.begin(), ms);
  }

  #request() {
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ];
    const more = this.#seat.protocol === 'ws-flv' ? upgrade : ['Connection: close'];
    return [`GET /${this.#seat.key}.flv HTTP/1.1`, 'Host: 127.0.0.1', ...more, '', ''].join('\r\n');
  }

  #readHead(socket) {
    let head = '';
    const read = (bytes) => {
      head += bytes.toString('latin1');
      if (!head.includes('\r\n\r\n') && head.length < MAX_HEAD_BYTES) return;
      socket.off('data', read);
      if (!/^HTTP\/1\.1 (200|101) /.test(head)) {
        socket.destroy();
        return;
      }
      this.isPlaying = true;
      this.#onPlays();
      if (this.#seat.habit === 'slow') sip(socket);
      else socket.resume();
    };
    socket.on('data', read);
  }
}

/** Reads at a low rate, so that the sender has to leave frames out. */
function sip(socket) {
  let budget = 0;
  socket.on('data', ({ length }) => {
    budget -= length;
    if (budget <= 0) socket.pause();
  });
  const timer = setInterval(() => {
    budget = Math.min(budget + SIP.bytes, SIP.bytes);
    if (budget > 0) socket.resume();
  }, SIP.everyMs);
  socket.once('close', () => clearInterval(timer));
}

function between({ least, most }) {
  return least + Math.random() * (most - least);
}
