/**
 * What one connection gives: whether it is the remote's turn, which of its requests are kept or refused, blocks on their way. Whose
 * turn it is, is decided elsewhere (choker.ts), and so is what a batch is (uploader.ts). Knows no socket.
 */
import { BLOCK_BYTES, MAX_QUEUED_REQUESTS, MAX_REQUEST_BYTES } from "../../wire/constants";
import type { Message } from "../../wire/messages";
import type { ConnectionHost } from "./connectionHost";
import { Leftovers } from "./leftovers";
import { Uploader } from "./uploader";

/** What the swarm has of the video, and its limit. */
export type GivingHost = Pick<ConnectionHost, "clock" | "content" | "source" | "uploadLimiter" | "onSourceError">;

/** The connection as its giving side sees it. */
export interface GivingLink {
  /** What the remote takes. */
  readonly hello: { readonly supportsFast: boolean; readonly isStreamlet: boolean };
  /** Nothing of the video goes to it. */
  readonly withheld: boolean;
  send(message: Message): void;
  /** Everything that was sent goes to the socket before what is written next. */
  flush(): void;
  /** `onPassed` is called when the socket needs the bytes no more. */
  write(bytes: Uint8Array, onPassed: (error?: Error | null) => void): void;
  /** Bytes per second that it has taken of late. */
  takenRate(): number;
  /** It gets a block of this piece. */
  onGives(piece: number): void;
  /** Bytes of payload have left. */
  onSent(bytes: number): void;
  close(error: unknown): void;
}

export class Giving {
  amChoking = true;
  private readonly leftovers = new Leftovers();
  private readonly uploader: Uploader;

  /** @param signal ends what waits for its share of the upload limit */
  constructor(
    private readonly link: GivingLink,
    private readonly host: GivingHost,
    signal: AbortSignal,
  ) {
    const give = link.write.bind(link);
    this.uploader = new Uploader(give, () => host.source(), host.uploadLimiter, host, signal, {
      flush: () => link.flush(),
      rate: () => link.takenRate(),
      onSent: (bytes) => link.onSent(bytes),
      onError: (error) => {
        host.onSourceError(error);
        link.close(error);
      },
    });
  }

  close(): void {
    this.uploader.close();
  }

  /** Payload on its way into the network. */
  get unsentBytes(): number {
    return this.uploader.unsentBytes;
  }

  /** What is written into the middle of a block would be taken for its data. */
  get isInsideBatch(): boolean {
    return this.uploader.isInsideBatch;
  }

  /** Its turn begins or ends; of what it has begun a little may still be had, the other requests that wait are refused. */
  setChoking(choking: boolean): void {
    if (this.amChoking === choking) return;
    this.amChoking = choking;
    const { link, leftovers } = this;
    if (!choking) {
      leftovers.onTurnBegun();
      link.send({ type: "unchoke" });
      return this.uploader.start();
    }
    if (link.hello.supportsFast) {
      const sizeOf = (piece: number) => this.host.content()!.pieceSize(piece);
      for (const piece of leftovers.onTurnEnded(this.host.clock.now(), sizeOf)) {
        link.send({ type: "allowedFast", piece });
      }
    }
    link.send({ type: "choke" });
    for (const request of this.uploader.drop(({ piece }) => !leftovers.has(piece))) this.reject(request);
  }

  onRequest(piece: number, begin: number, length: number): void {
    const { link, leftovers } = this;
    const source = link.withheld ? undefined : this.host.source();
    const limit = link.hello.isStreamlet ? MAX_REQUEST_BYTES : BLOCK_BYTES;
    const serves =
      source?.content.isValidRange(piece, begin, length) === true &&
      source.hasPiece(piece) &&
      length <= limit &&
      this.uploader.queued < MAX_QUEUED_REQUESTS &&
      (!this.amChoking || leftovers.take(piece, length, this.host.clock.now()));
    if (!serves) return this.reject({ piece, begin, length });
    leftovers.onRequest(piece);
    link.onGives(piece);
    this.uploader.push({ piece, begin, length });
  }

  onCancel(piece: number, begin: number, length: number): void {
    if (this.uploader.cancel(piece, begin, length)) this.reject({ piece, begin, length });
  }

  /** It has this piece now. */
  onHave(piece: number): void {
    this.leftovers.onHave(piece);
  }

  /** Said only where it is understood (BEP 6). */
  private reject(request: { piece: number; begin: number; length: number }): void {
    if (this.link.hello.supportsFast) this.link.send({ type: "reject", ...request });
  }
}
