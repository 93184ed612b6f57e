// A publisher that stands by: what it sends is kept from its newest key frame on, so that it can be on air within a
// frame. It owns that row and how healthy the publisher is; when it goes on air, others decide.
import { classify, headerSlot } from '../format/codec.ts';
import { FrameKind, type FrameRole } from '../format/frame.ts';
import { apart } from '../format/payload-slab.ts';
import { keptBytes, type MemoryBudget, type MemoryCharge } from './memory-budget.ts';
import { idleLimitMs, Pace } from './pace.ts';
import type { PublisherInlet } from './publication.ts';

/** A row that grows beyond it is given up until the next key frame. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_MESSAGES = 16_384;
const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 256 * 1024;
/** Without video, as much audio is kept as a publication needs to know that there is none, and a little more. */
const AUDIO_ONLY_MS = 1_500;

interface Message {
  readonly kind: FrameKind;
  readonly timestamp: number;
  readonly payload: Buffer;
}

export class Standby {
  readonly #budget: Pick<MemoryBudget, 'isExhausted'>;
  readonly #memory: MemoryCharge;
  readonly #pace: Pace;
  /** The newest decoder set-up by its track, and metadata. */
  readonly #setUp = new Map<string, Message>();
  #setUpBytes = 0;
  #row: Message[] = [];
  #rowBytes = 0;
  #hasVideo = false;
  /** Since when it sends without a silence. */
  #wellSinceMs: number;

  /** @param budget what it keeps is of the node's memory for media */
  constructor(nowMs: number, budget: Pick<MemoryBudget, 'charge' | 'isExhausted'>) {
    this.#budget = budget;
    this.#memory = budget.charge('standby');
    this.#pace = new Pace(nowMs);
    this.#wellSinceMs = nowMs;
  }

  /** Bytes that it holds, set-up and overhead included. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  /** Could it be on air now? */
  isReady(nowMs: number): boolean {
    return this.#row.length > 0 && !this.#isSilent(nowMs);
  }

  /** For how long it has been sending without a silence, ms; 0 if it is silent now. */
  wellMs(nowMs: number): number {
    return this.#row.length === 0 || this.#isSilent(nowMs) ? 0 : nowMs - this.#wellSinceMs;
  }

  /** One media message; payload is owned by it from now on. */
  append(kind: FrameKind, timestamp: number, payload: Buffer, nowMs: number): void {
    if (this.#isSilent(nowMs)) this.#wellSinceMs = nowMs;
    this.#pace.arrived(nowMs);
    const role = classify(kind, payload);
    const message = { kind, timestamp, payload };
    if (role === 'header' || role === 'metadata') this.#keepSetUp(message, role);
    else this.#keep(message, role);
    this.#memory.hold(this.#setUpBytes + this.#rowBytes);
    const isTooMuch = this.#rowBytes > MAX_BYTES || this.#row.length > MAX_MESSAGES;
    if (!isTooMuch && !this.#budget.isExhausted) return;
    this.#dropRow();
    this.#memory.hold(this.#setUpBytes);
  }

  /** Gives all that is kept to where it goes from now on, set-up first. */
  handOver(inlet: Pick<PublisherInlet, 'append'>): void {
    const setUp = [...this.#setUp.values()];
    const row = this.#row;
    const { timestamp } = row[0] ?? { timestamp: 0 };
    this.clear(); // First, so that nothing is charged twice.
    for (const { kind, payload } of setUp) inlet.append(kind, timestamp, payload);
    for (const message of row) inlet.append(message.kind, message.timestamp, message.payload);
  }

  /** Lets go of all that is kept: the publisher went, or is on air. */
  clear(): void {
    this.#setUp.clear();
    this.#setUpBytes = 0;
    this.#dropRow();
    this.#memory.hold(0);
  }

  #keepSetUp(message: Message, role: FrameRole): void {
    const slot = role === 'metadata' ? 'metadata' : headerSlot(message.kind, message.payload);
    if (message.payload.length > MAX_HEADER_BYTES) return;
    const before = this.#setUp.get(slot);
    if (!before && this.#setUp.size === MAX_HEADERS) return;
    this.#setUp.set(slot, { ...message, payload: apart(message.payload) });
    this.#setUpBytes += keptBytes(message.payload) - (before ? keptBytes(before.payload) : 0);
  }

  #keep(message: Message, role: FrameRole): void {
    if (message.kind === FrameKind.video) {
      this.#hasVideo = true;
      if (role === 'key') this.#dropRow();
      else if (this.#row[0]?.kind !== FrameKind.video) return;
    } else if (this.#hasVideo && this.#row.length === 0) return;
    this.#row.push(message);
    this.#rowBytes += keptBytes(message.payload);
    if (!this.#hasVideo) this.#dropOldAudio(message.timestamp);
  }

  #dropOldAudio(newest: number): void {
    let first = this.#row[0];
    while (first && Math.abs((newest - first.timestamp) | 0) > AUDIO_ONLY_MS) {
      this.#row.shift();
      this.#rowBytes -= keptBytes(first.payload);
      first = this.#row[0];
    }
  }

  #dropRow(): void {
    this.#row = [];
    this.#rowBytes = 0;
  }

  #isSilent(nowMs: number): boolean {
    return this.#pace.silentMs(nowMs) > idleLimitMs(this.#pace.usualIntervalMs);
  }
}
