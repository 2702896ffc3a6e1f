/** Fetches and serves the info dictionary (`ut_metadata`, BEP 9). What comes is believed only when it hashes to the id. */
import { METADATA_PIECE_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import type { MetadataMessage } from "../../wire/extensions";
import type { Clock } from "../clock";
import type { PeerConnection } from "./peerConnection";

/** After so long another peer is asked as well; the first may still answer, behind the first blocks of a slow link. */
const SLOW_MS = 2_000;
/** Answers that are waited for at once: each may hold a whole dictionary in memory. */
const MAX_FETCHES = 4;
/** A peer gets the whole dictionary a few times, not as a way to keep the link busy. */
const MAX_TIMES_SERVED = 4;

interface Fetch {
  /** Bytes, as the peer says. */
  size: number;
  pieces: (Uint8Array | undefined)[];
  at: number;
}

export class MetadataExchange {
  private readonly refusedBy = new WeakSet<PeerConnection>();
  private readonly served = new WeakMap<PeerConnection, number>();
  /** In the order in which they were begun. */
  private readonly fetches = new Map<PeerConnection, Fetch>();

  constructor(
    private readonly clock: Clock,
    private readonly isAuthentic: (infoBytes: Uint8Array) => boolean,
    private readonly onInfo: (infoBytes: Uint8Array) => void,
    private readonly onLie: (connection: PeerConnection, error: StreamletError) => void,
    public infoBytes: Uint8Array | undefined,
  ) {}

  /** Asks this peer for the dictionary, unless it is known or about to come. */
  offer(connection: PeerConnection): void {
    const size = connection.hello.extended?.metadata_size ?? 0;
    if (this.infoBytes || this.fetches.has(connection) || this.refusedBy.has(connection)) return;
    if (connection.hello.metadataId === undefined || size <= 0 || connection.closed) return;
    const now = this.clock.now();
    const under = [...this.fetches];
    if (under.some(([, { at }]) => now - at < SLOW_MS)) return;
    if (under.length >= MAX_FETCHES) this.fetches.delete(under[0]![0]);
    const count = Math.ceil(size / METADATA_PIECE_BYTES);
    this.fetches.set(connection, { size, pieces: new Array(count).fill(undefined), at: now });
    for (let piece = 0; piece < count; piece++) connection.sendMetadata({ type: "request", piece });
  }

  onMessage(connection: PeerConnection, message: MetadataMessage): void {
    if (message.type === "request") return this.serve(connection, message.piece);
    const fetch = this.fetches.get(connection);
    if (!fetch || this.infoBytes) return;
    if (message.type === "reject") {
      this.refusedBy.add(connection);
      this.fetches.delete(connection);
      return;
    }
    const expected = Math.min(METADATA_PIECE_BYTES, fetch.size - message.piece * METADATA_PIECE_BYTES);
    if (message.piece >= fetch.pieces.length || message.data.length !== expected) {
      throw new StreamletError("bad-message", "The peer sent metadata of a wrong size.");
    }
    fetch.pieces[message.piece] = new Uint8Array(message.data);
    if (fetch.pieces.some((piece) => piece === undefined)) return;
    this.fetches.delete(connection);
    const bytes = Buffer.concat(fetch.pieces as Uint8Array[]);
    if (!this.isAuthentic(bytes)) {
      this.refusedBy.add(connection);
      return this.onLie(
        connection,
        new StreamletError("bad-metainfo", "The peer sent metadata that is not the video's."),
      );
    }
    this.infoBytes = bytes;
    this.fetches.clear();
    this.onInfo(bytes);
  }

  /** True when another peer may be asked. */
  onClosed(connection: PeerConnection): boolean {
    return this.fetches.delete(connection);
  }

  private serve(connection: PeerConnection, piece: number): void {
    const info = this.infoBytes;
    const count = info ? Math.ceil(info.length / METADATA_PIECE_BYTES) : 0;
    const times = (this.served.get(connection) ?? 0) + 1;
    this.served.set(connection, times);
    if (!info || piece >= count || times > count * MAX_TIMES_SERVED) {
      return connection.sendMetadata({ type: "reject", piece });
    }
    const begin = piece * METADATA_PIECE_BYTES;
    const data = info.subarray(begin, begin + METADATA_PIECE_BYTES);
    connection.sendMetadata({ type: "data", piece, totalSize: info.length, data });
  }
}
