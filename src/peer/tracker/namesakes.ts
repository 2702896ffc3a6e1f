/**
 * Who at one tracker bears the name of a friend under another key: asked for by name, since a list that is shown ends somewhere,
 * and an impostor would only have to stand behind its end.
 */
import { type DirectoryPeer, MAX_DIRECTORY_ROWS, MAX_FILTER_VALUES } from "../../wire/trackerMessages";
import type { Clock } from "../clock";
import { Coalescer } from "../net/coalesce";
import type { People } from "../social/contacts";
import type { TrackerClient } from "./trackerClient";

/** People come and go all the time; one or two questions in so long cost nobody anything. */
const INTERVAL_MS = 10_000;
/** More than anybody looks at; an honest tracker gives a name to one key only. */
const MAX_NAMESAKES = 50;

export class Namesakes {
  private found: readonly DirectoryPeer[] = [];
  private readonly looks: Coalescer;

  /** @param changed others are found than before */
  constructor(
    private readonly client: Pick<TrackerClient, "directory">,
    clock: Clock,
    private readonly people: People,
    private readonly changed: () => void,
  ) {
    this.looks = new Coalescer(clock, INTERVAL_MS, () => void this.look().catch(() => undefined)); // asked again with the next news
  }

  /** As of the last answer. */
  list(): readonly DirectoryPeer[] {
    return this.found;
  }

  /** Who is online, or who is a friend, may have changed. */
  lookSoon(): void {
    if (this.names().length > 0) this.looks.request();
    else this.show([]);
  }

  dispose(): void {
    this.looks.dispose();
  }

  private names(): string[] {
    return [...this.people.friendNames()];
  }

  private async look(): Promise<void> {
    const names = this.names();
    const found: DirectoryPeer[] = [];
    for (let from = 0; from < names.length; from += MAX_FILTER_VALUES) {
      const some = names.slice(from, from + MAX_FILTER_VALUES);
      const { peers } = await this.client.directory({ names: some, limit: MAX_DIRECTORY_ROWS });
      // A tracker that does not know the question answers with anybody.
      found.push(...peers.filter(({ fingerprint, peerId }) => this.people.isImpostor(fingerprint, peerId)));
    }
    this.show(found.slice(0, MAX_NAMESAKES));
  }

  private show(found: readonly DirectoryPeer[]): void {
    const keysOf = (peers: readonly DirectoryPeer[]) => peers.map(({ fingerprint }) => fingerprint).join();
    const before = this.found;
    this.found = found;
    if (keysOf(found) !== keysOf(before)) this.changed();
  }
}
