import type { CatalogPeer } from "../../src/peer/tracker/catalog";
import { matchesWords, queryWords } from "../../src/wire/search";
import { makeIdentity, type TestIdentity } from "../tracker/support";

/** A connected peer whose records are these. */
export class FakePeer implements CatalogPeer {
  readonly identity: TestIdentity = makeIdentity();
  readonly peer = { peerId: "Carol", fingerprint: this.identity.fingerprint, host: "192.0.2.3", port: 5003 };
  readonly listeners = new Set<() => void>();
  records: Uint8Array[] = [];
  queries = 0;
  answer: () => Promise<void> = async () => {};

  async queryCatalog(query: { text?: string; limit: number; cursor?: string }) {
    this.queries++;
    await this.answer();
    const words = queryWords(query.text);
    const all = this.records.filter((bytes) =>
      matchesWords(Buffer.from(bytes).toString("latin1").toLowerCase(), words),
    );
    const start = Number(query.cursor ?? 0);
    const records = all.slice(start, start + query.limit);
    const next = start + records.length;
    return { records, total: all.length, ...(next < all.length ? { cursor: String(next) } : {}) };
  }
  onDidChangeCatalog(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  change(...records: Uint8Array[]): void {
    this.records = records;
    for (const listener of this.listeners) listener();
  }
}
