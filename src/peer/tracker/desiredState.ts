/**
 * What one wants a tracker to know, what it has been told on the present connection, and so what is to be told next. No input
 * or output. Keeps track of, for each id: the wanted record, the one that is under way, and the one that was answered; and for
 * announcements the same as one number.
 */
import { equalBytes } from "../../wire/bytes";
import {
  MAX_IDS_PER_MESSAGE,
  MAX_PEER_FRAME_BYTES,
  MAX_RECORDS_PER_MESSAGE,
  type PeerMessage,
  type RecordResult,
} from "../../wire/trackerMessages";
import type { VideoId } from "../../wire/types";

/** A signed record (records.ts) with the id that it speaks of, so that it need not be parsed again. */
export interface SignedRecord {
  id: VideoId;
  record: Uint8Array;
}

type WithoutRequest<T> = T extends unknown ? Omit<T, "request"> : never;
/** A request of the peer before it has a number. */
export type Telling = WithoutRequest<Extract<PeerMessage, { type: "publish" | "withdraw" | "announce" }>>;

/** One message to send, and what to do with its answer. */
export interface Batch {
  message: Telling;
  /** The results of records; none for an announcement. */
  onAnswer(results: readonly RecordResult[]): { id: VideoId; result: RecordResult }[];
  /** It was not taken: it is to be told again. */
  onFailure(): void;
}

interface Wanted {
  record: Uint8Array;
  withdraw: boolean;
  state: "untold" | "underway" | "accepted" | "refused";
}

/** The envelope of a message and of each of its records. */
const ENVELOPE_CHARS = 200;
const RECORD_ENVELOPE_CHARS = 3;

const HAVE = 1;
const WANT = 2;
/** Told in a message that got no answer: it differs from whatever is wanted. */
const UNKNOWN = -1;

export class DesiredState {
  readonly #records = new Map<VideoId, Wanted>();
  readonly #untold = new Set<VideoId>();
  #published: readonly SignedRecord[] = [];
  #withdrawn: readonly SignedRecord[] = [];
  readonly #announced = new Map<VideoId, number>();
  readonly #announcedTold = new Map<VideoId, number>();
  readonly #announceChanged = new Set<VideoId>();
  #underway = 0;
  /** False until it was said for the first time what is wanted: a tracker that is told nothing takes all for gone. */
  #isKnown = false;
  #complete = false;
  /** Counts connections: what comes of an earlier one changes nothing. */
  #connection = 0;

  /** A new connection: nothing has been told. */
  restart(): void {
    this.#connection++;
    this.#underway = 0;
    this.#complete = false;
    this.#announcedTold.clear();
    for (const id of this.#announced.keys()) this.#announceChanged.add(id);
    for (const [id, wanted] of this.#records) {
      wanted.state = "untold";
      this.#untold.add(id);
    }
  }

  /** The last of the three to be set: nothing is told before. */
  setPublished(records: readonly SignedRecord[]): void {
    this.#isKnown = true;
    this.#published = records;
    this.#setRecords();
  }

  setWithdrawn(records: readonly SignedRecord[]): void {
    if (records.length === 0 && this.#withdrawn.length === 0) return;
    this.#withdrawn = records;
    this.#setRecords();
  }

  setAnnounced(sets: { have: readonly VideoId[]; want: readonly VideoId[] }): void {
    const next = new Map<VideoId, number>();
    for (const id of sets.have) next.set(id, HAVE);
    for (const id of sets.want) next.set(id, (next.get(id) ?? 0) | WANT);
    for (const [id, flags] of next) if (this.#announced.get(id) !== flags) this.#announceChanged.add(id);
    for (const id of this.#announced.keys()) if (!next.has(id)) this.#announceChanged.add(id);
    this.#announced.clear();
    for (const [id, flags] of next) this.#announced.set(id, flags);
  }

  isAcknowledged(id: VideoId): boolean {
    return this.#records.get(id)?.state === "accepted";
  }

  /** The next message, undefined when there is nothing to tell (or all of it is under way). */
  next(): Batch | undefined {
    if (!this.#isKnown) return undefined;
    return this.#nextRecords() ?? this.#nextAnnouncement();
  }

  /** What is wanted of each id; an id that is published again is no longer withdrawn. */
  #setRecords(): void {
    const next = new Map<VideoId, { record: Uint8Array; withdraw: boolean }>();
    for (const { id, record } of this.#withdrawn) next.set(id, { record, withdraw: true });
    for (const { id, record } of this.#published) next.set(id, { record, withdraw: false });
    for (const id of [...this.#records.keys()]) {
      if (next.has(id)) continue;
      this.#records.delete(id);
      this.#untold.delete(id);
    }
    for (const [id, { record, withdraw }] of next) {
      const known = this.#records.get(id);
      const isSame = known?.record === record || (known !== undefined && equalBytes(known.record, record));
      if (isSame && known?.withdraw === withdraw) continue;
      this.#records.set(id, { record, withdraw, state: "untold" });
      this.#untold.add(id);
    }
  }

  #nextRecords(): Batch | undefined {
    const items: { id: VideoId; wanted: Wanted }[] = [];
    const encoded: string[] = [];
    let withdraw = false;
    let chars = ENVELOPE_CHARS;
    for (const id of this.#untold) {
      const wanted = this.#records.get(id) as Wanted;
      if (items.length === 0) withdraw = wanted.withdraw;
      if (wanted.withdraw !== withdraw) continue;
      const text = Buffer.from(wanted.record).toString("base64");
      chars += text.length + RECORD_ENVELOPE_CHARS;
      if (items.length > 0 && (chars > MAX_PEER_FRAME_BYTES || items.length === MAX_RECORDS_PER_MESSAGE)) break;
      items.push({ id, wanted });
      encoded.push(text);
    }
    if (items.length === 0) return undefined;
    for (const { id, wanted } of items) {
      wanted.state = "underway";
      this.#untold.delete(id);
    }
    this.#underway++;
    const connection = this.#connection;
    return {
      message: { type: withdraw ? "withdraw" : "publish", records: encoded },
      onAnswer: (results) => {
        if (connection !== this.#connection) return [];
        this.#underway--;
        return items.flatMap(({ id, wanted }, index) => {
          const result = results[index] ?? { error: { code: "internal", message: "The tracker did not answer this." } };
          // Changed or set anew meanwhile: this answer is about something that is wanted no more.
          if (this.#records.get(id) !== wanted) return [];
          wanted.state = result.error ? "refused" : "accepted";
          return [{ id, result }];
        });
      },
      onFailure: () => {
        if (connection !== this.#connection) return;
        this.#underway--;
        for (const { id, wanted } of items) {
          if (this.#records.get(id) !== wanted) continue;
          wanted.state = "untold";
          this.#untold.add(id);
        }
      },
    };
  }

  #nextAnnouncement(): Batch | undefined {
    const have: VideoId[] = [];
    const want: VideoId[] = [];
    const gone: VideoId[] = [];
    const said = new Map<VideoId, number>();
    for (const id of this.#announceChanged) {
      if (said.size === MAX_IDS_PER_MESSAGE) break;
      const flags = this.#announced.get(id) ?? 0;
      this.#announceChanged.delete(id);
      if (flags === (this.#announcedTold.get(id) ?? 0)) continue;
      said.set(id, flags);
      if (flags & HAVE) have.push(id);
      if (flags & WANT) want.push(id);
      if (flags === 0) gone.push(id);
      if (flags === 0) this.#announcedTold.delete(id);
      else this.#announcedTold.set(id, flags);
    }
    // Said once all records have been answered: what is not repeated by then is forgotten.
    const complete = !this.#complete && this.#underway === 0 && this.#announceChanged.size === 0;
    if (said.size === 0 && !complete) return undefined;
    if (complete) this.#complete = true;
    const connection = this.#connection;
    return {
      message: { type: "announce", have, want, gone, ...(complete ? { complete } : {}) },
      onAnswer: () => [],
      onFailure: () => {
        if (connection !== this.#connection) return;
        if (complete) this.#complete = false;
        for (const id of said.keys()) {
          this.#announcedTold.set(id, UNKNOWN);
          this.#announceChanged.add(id);
        }
      },
    };
  }
}
