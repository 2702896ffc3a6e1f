import { BLOCK_BYTES } from "../../wire/constants";

/** Asked of a peer before anything of it has come: TCP's own slow start takes some round trips until a link carries more. */
const FIRST_BYTES = 4 * BLOCK_BYTES;
/** A queue longer than that only makes seeks slow, a shorter one leaves the link idle between two of our looks at it. */
const QUEUE_MS = 200;
/** An answer that comes so long after the round trip has waited in a queue: there is no more to be had by asking for more. */
const QUEUED_MS = 150;
/** So many in a row: one may as well have been held up by a busy machine. */
const QUEUED_ANSWERS = 4;
/** One request takes at most this long on the peer's link: what a player wants next waits for the rest of it. */
const REQUEST_MS = 50;
/** A peer that has been idle begins again with that. */
const LEAST_BYTES = 4 * BLOCK_BYTES;
/** A third of the piece memory, so that one fast peer does not starve the others of it. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * How much to have under way to one peer: its rate times the round trip and a short queue. While the rate is not yet known, twice
 * what is under way for each answer that comes without delay, as TCP does. Pure: no clock, no socket.
 */
export class Pipeline {
  /** Least time, in ms, between a request (or the handshake) and what answers it; undefined until something was answered. */
  roundTripMs: number | undefined;
  /** Nobody knows yet what the link carries. */
  probing = true;
  private received = 0;
  /** Answers in a row that have waited. */
  private queued = 0;

  onRoundTrip(ms: number): void {
    this.roundTripMs = Math.min(this.roundTripMs ?? ms, ms);
  }

  /** A block of `bytes` begins to arrive, `waitedMs` after it was asked for. */
  onAnswer(waitedMs: number, bytes: number): void {
    this.onRoundTrip(waitedMs);
    if (!this.probing) return;
    const isPrompt = waitedMs < this.roundTripMs! + QUEUED_MS;
    if (isPrompt) this.received += bytes;
    this.queued = isPrompt ? 0 : this.queued + 1;
    this.probing = this.queued < QUEUED_ANSWERS && this.received < MOST_BYTES;
  }

  /** Bytes that should be under way. @param rate bytes per second that come of it */
  target(rate: number): number {
    const wanted = (rate * this.spanMs) / 1000;
    const known = Math.max(LEAST_BYTES, Math.min(wanted, MOST_BYTES));
    return this.probing ? Math.max(known, FIRST_BYTES + this.received) : known;
  }

  /** Blocks in one request. @param target as above @param mostBytes that the peer takes */
  requestBlocks(target: number, mostBytes: number): number {
    const bytes = Math.min((target * REQUEST_MS) / this.spanMs, mostBytes);
    return Math.max(1, Math.floor(bytes / BLOCK_BYTES));
  }

  private get spanMs(): number {
    return QUEUE_MS + (this.roundTripMs ?? 0);
  }
}
