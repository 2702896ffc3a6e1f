/** Who is said to have a video, by trackers: asked now and then, and nobody is connected to. */
import type { Fingerprint } from "../wire/types";
import type { Clock } from "./clock";
import type { TrackerClient } from "./tracker/trackerClient";

export interface KnownSource {
  /** Undefined for a plain BitTorrent peer. */
  fingerprint: Fingerprint | undefined;
  peerId: string;
  host: string;
  port: number;
}

/** Whoever looks at a video asks twice a second; who has it changes slowly. */
const FRESH_MS = 15_000;
/** Patience of whoever asks first. */
const PATIENCE_MS = 1_500;
/** As many as anybody looks at, of each tracker. */
const MAX_ASKED = 100;
/** Videos that are looked at one after another. */
const MAX_VIDEOS = 16;

interface Entry {
  askedAt: number;
  sources: KnownSource[];
  answer: Promise<void>;
}

export class KnownSources {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly clock: Clock,
    private readonly trackers: readonly Pick<TrackerClient, "status" | "sources">[],
  ) {}

  /** By id or v1 info-hash. Waits only for the first answer. */
  async of(hash: string): Promise<readonly KnownSource[]> {
    const known = this.entries.get(hash);
    const entry = known && this.clock.now() - known.askedAt < FRESH_MS ? known : this.ask(hash, known?.sources ?? []);
    if (!known) await this.within(entry.answer);
    return entry.sources;
  }

  private ask(hash: string, sources: KnownSource[]): Entry {
    const entry: Entry = { askedAt: this.clock.now(), sources, answer: Promise.resolve() };
    entry.answer = this.collect(hash).then((found) => {
      if (found) entry.sources = found;
    });
    this.entries.delete(hash);
    this.entries.set(hash, entry);
    const oldest = this.entries.keys().next().value;
    if (this.entries.size > MAX_VIDEOS && oldest !== undefined) this.entries.delete(oldest);
    return entry;
  }

  /** Undefined where no tracker answers: what was known stays. */
  private async collect(hash: string): Promise<KnownSource[] | undefined> {
    const online = this.trackers.filter(({ status }) => status.state === "online");
    const answers = await Promise.all(online.map((tracker) => tracker.sources(hash, MAX_ASKED).catch(() => undefined)));
    if (answers.every((answer) => answer === undefined)) return undefined;
    const found = new Map<string, KnownSource>();
    for (const answer of answers) {
      for (const { fingerprint, peerId, host, port, have } of answer?.peers ?? []) {
        if (have) found.set(fingerprint, { fingerprint, peerId, host, port });
      }
      for (const { host, port } of answer?.plain ?? []) {
        found.set(`${host}:${port}`, { fingerprint: undefined, peerId: "", host, port });
      }
    }
    return [...found.values()];
  }

  private within(answer: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(PATIENCE_MS, resolve);
      void answer.then(() => {
        cancel();
        resolve();
      });
    });
  }
}
