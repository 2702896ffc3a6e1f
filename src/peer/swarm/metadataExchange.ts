/** Fetches and serves the info dictionary (`ut_metadata`, BEP 9). What comes is believed only when it hashes to the id. */
import { METADATA_PIECE_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import type { MetadataMessage } from "../../wire/extensions";
import type { Clock } from "../clock";
import type { PeerConnection } from "./peerConnection";

const METADATA_TIMEOUT_MS = 8_000;
/** A peer gets the whole dictionary a few times, not as a way to keep the link busy. */
const MAX_TIMES_SERVED = 4;

export class MetadataExchange {
  private readonly refusedBy = new WeakSet<PeerConnection>();
  private readonly served = new WeakMap<PeerConnection, number>();
  private fetching: { from: PeerConnection; size: number; pieces: (Uint8Array | undefined)[]; at: number } | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly isAuthentic: (infoBytes: Uint8Array) => boolean,
    private readonly onInfo: (infoBytes: Uint8Array) => void,
    private readonly onLie: (connection: PeerConnection, error: StreamletError) => void,
    public infoBytes: Uint8Array | undefined,
  ) {}

  /** Asks this peer for the dictionary, unless it is known or being fetched. */
  offer(connection: PeerConnection): void {
    const size = connection.extended?.metadata_size ?? 0;
    if (this.infoBytes || this.fetching || this.refusedBy.has(connection)) return;
    if (!connection.canExchangeMetadata || size <= 0 || connection.closed) return;
    const count = Math.ceil(size / METADATA_PIECE_BYTES);
    this.fetching = { from: connection, size, pieces: new Array(count).fill(undefined), at: this.clock.now() };
    for (let piece = 0; piece < count; piece++) connection.sendMetadata({ type: "request", piece });
  }

  onMessage(connection: PeerConnection, message: MetadataMessage): void {
    if (message.type === "request") return this.serve(connection, message.piece);
    const fetching = this.fetching;
    if (fetching?.from !== connection) return;
    if (message.type === "reject") return this.giveUp(connection);
    const expected = Math.min(METADATA_PIECE_BYTES, fetching.size - message.piece * METADATA_PIECE_BYTES);
    if (message.piece >= fetching.pieces.length || message.data.length !== expected) {
      throw new StreamletError("bad-message", "The peer sent metadata of a wrong size.");
    }
    fetching.pieces[message.piece] = new Uint8Array(message.data);
    if (fetching.pieces.some((piece) => piece === undefined)) return;
    this.fetching = undefined;
    const bytes = Buffer.concat(fetching.pieces as Uint8Array[]);
    if (!this.isAuthentic(bytes)) {
      this.refusedBy.add(connection);
      return this.onLie(
        connection,
        new StreamletError("bad-metainfo", "The peer sent metadata that is not the video's."),
      );
    }
    this.infoBytes = bytes;
    this.onInfo(bytes);
  }

  /** True when another peer may be asked. */
  onClosed(connection: PeerConnection): boolean {
    if (this.fetching?.from !== connection) return false;
    this.fetching = undefined;
    return true;
  }

  /** True when another peer may be asked. */
  tick(): boolean {
    if (!this.fetching || this.clock.now() - this.fetching.at < METADATA_TIMEOUT_MS) return false;
    this.giveUp(this.fetching.from);
    return true;
  }

  private giveUp(connection: PeerConnection): void {
    this.refusedBy.add(connection);
    this.fetching = undefined;
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
