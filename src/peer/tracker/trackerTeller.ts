/**
 * Brings one tracker up to what is desired: what it does not know yet is told in batches, a few at a time, and all of it again after a
 * reconnect. What is desired is kept by desiredState.ts; connecting is the client's.
 */
import { type ErrorData, StreamletError } from "../../wire/errors";
import type { AnswerTo } from "../../wire/trackerMessages";
import type { VideoId } from "../../wire/types";
import type { Clock } from "../clock";
import { type Batch, DesiredState, type SignedRecord } from "./desiredState";
import { type Answer, errorOf, type TrackerLink } from "./trackerLink";

/** Batches under way at once: a replay of thousands of records must not wait for a round trip after each hundred. */
const BATCHES_UNDERWAY = 4;
/** After a failed batch that did not say when to come back. */
const BATCH_RETRY_MS = 5_000;

export interface TellerListener {
  /** The record (or withdrawal) set last for this id has been accepted. */
  onAcknowledged(id: VideoId): void;
  /** It is not sent again before it changes. */
  onRefused(id: VideoId, error: StreamletError): void;
}

export class TrackerTeller {
  readonly #desired = new DesiredState();
  #link: TrackerLink | undefined;
  #underway = 0;
  #paused = false;
  #cancelPause: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly listener: TellerListener,
  ) {}

  setPublished(records: readonly SignedRecord[]): void {
    this.#desired.setPublished(records);
    this.tell();
  }
  setWithdrawn(records: readonly SignedRecord[]): void {
    this.#desired.setWithdrawn(records);
    this.tell();
  }
  setAnnounced(sets: { have: readonly VideoId[]; want: readonly VideoId[] }): void {
    this.#desired.setAnnounced(sets);
    this.tell();
  }
  isAcknowledged(id: VideoId): boolean {
    return this.#desired.isAcknowledged(id);
  }

  /** The tracker has welcomed us, and knows nothing: everything is to be told to it. */
  connected(link: TrackerLink): void {
    this.#link = link;
    this.#underway = 0;
    this.#paused = false;
    this.#desired.restart();
  }

  disconnected(): void {
    this.#link = undefined;
    this.#cancelPause();
  }

  /** Goes on with what has not been told yet. */
  tell(): void {
    const link = this.#link;
    while (link?.isOpen && !this.#paused && this.#underway < BATCHES_UNDERWAY) {
      const batch = this.#desired.next();
      if (!batch) return;
      this.#underway++;
      this.#send(link, batch).then(
        () => {
          if (link !== this.#link) return;
          this.#underway--;
          this.tell();
        },
        // #send handles every failure of the tracker; what is left is a fault of this program.
        (error) => {
          queueMicrotask(() => {
            throw error;
          });
        },
      );
    }
  }

  async #send(link: TrackerLink, batch: Batch): Promise<void> {
    const isRecords = batch.message.type !== "announce";
    let results: AnswerTo<"results">["results"] = [];
    try {
      const answer: Answer = await link.request(batch.message, isRecords ? "results" : "done");
      if (answer.type === "results") results = answer.results;
    } catch (error) {
      batch.onFailure();
      if (link !== this.#link) return;
      const retryAfterMs = error instanceof StreamletError ? error.data?.retryAfterMs : undefined;
      this.#paused = true;
      this.#cancelPause = this.clock.after(typeof retryAfterMs === "number" ? retryAfterMs : BATCH_RETRY_MS, () => {
        this.#paused = false;
        this.tell();
      });
      return;
    }
    for (const { id, result } of batch.onAnswer(results)) {
      if (!result.error) this.listener.onAcknowledged(id);
      else {
        const { code, message, data } = errorOf(result.error);
        const known: ErrorData = { ...data };
        if (result.newest !== undefined) known.newest = result.newest;
        this.listener.onRefused(id, new StreamletError(code, message, { data: known }));
      }
    }
  }
}
