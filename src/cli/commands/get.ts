import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { LibraryVideo, Snapshot } from "../../peer/status";
import { StreamletError } from "../../wire/errors";
import { cleanText } from "../../wire/text";
import type { Context } from "../peer";
import { formatSize } from "../text";
import { locate, NO_SOURCE_TIMEOUT_MS } from "./source";

/** One read of the finished file while it is hashed: big enough that the reads cost nothing beside the hash. */
const READ_BYTES = 1024 * 1024;

export interface GetOptions {
  /** 64 hex digits, a link, a magnet link or the path of a .torrent file. */
  source: string;
  /** Folder or new file; the current folder when absent, as with any program that fetches files. */
  out: string | undefined;
  force: boolean;
}

/** Errors: unknown-video, bad-link, multi-file-torrent, file-exists, no-sources, disk-full, tracker-unreachable ... */
export async function get(context: Context, options: GetOptions): Promise<void> {
  const { session, output, shutdown } = context;
  const { source, network } = await locate(context, options.source);
  const { key } = await shutdown.race(
    session.download({
      source,
      out: resolve(options.out ?? "."),
      force: options.force,
      peers: context.options.connect,
    }),
  );
  await pauseOthers(context, key);
  const progress = new Progress(context, key, network);
  try {
    const done = await shutdown.race(Promise.race([session.downloadResult(key), progress.starved]));
    progress.finish(done.bytes);
    const sha256 = await shutdown.race(sha256OfFile(done.path));
    output.event({ event: "done", path: done.path, bytes: done.bytes, seconds: done.seconds, sha256 });
    const rate = formatSize(done.bytes / Math.max(done.seconds, 1e-3));
    output.line(`${cleanText(done.path)}: ${formatSize(done.bytes)} in ${done.seconds.toFixed(2)} s (${rate}/s)`);
    output.line(`sha256 ${sha256}`);
  } finally {
    progress.dispose();
  }
}

/** Interrupted downloads of earlier runs go on by themselves; here they would take bandwidth from the one that was asked for. */
async function pauseOthers({ session, shutdown }: Context, wanted: string): Promise<void> {
  const { videos } = await session.snapshot();
  const others = videos.filter(({ key, state }) => key !== wanted && (state === "downloading" || state === "checking"));
  await shutdown.race(Promise.all(others.map(({ key }) => session.pause(key))));
}

/** Shows a download, and notices when nobody has anything of it to give. The engine speaks at most four times a second. */
class Progress {
  /** Never resolves. Rejects with no-sources, or with what is wrong with the trackers. */
  readonly starved: Promise<never>;
  private starve!: (error: unknown) => void;
  private networkError: unknown;
  private last = { bytes: -1, total: 0, rate: 0, peers: 0 };
  private timer: NodeJS.Timeout | undefined;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly context: Context,
    private readonly key: string,
    network: Promise<void>,
  ) {
    this.starved = new Promise((_, reject) => {
      this.starve = reject;
    });
    this.starved.catch(() => undefined);
    network.catch((error: unknown) => {
      this.networkError = error;
    });
    this.watchFor(NO_SOURCE_TIMEOUT_MS);
    this.unsubscribe = context.session.onDidChange((snapshot) => this.show(snapshot));
  }

  dispose(): void {
    this.unsubscribe();
    clearTimeout(this.timer);
  }

  finish(bytes: number): void {
    this.dispose();
    this.emit({ ...this.last, bytes, total: bytes });
  }

  private show(snapshot: Snapshot): void {
    const video = snapshot.videos.find(({ key }) => key === this.key);
    if (video === undefined) return;
    // While it checks what is on disk it asks nobody.
    if (video.peers > 0 || video.state === "checking") this.watchFor(NO_SOURCE_TIMEOUT_MS);
    const next = { bytes: video.bytesDone, total: video.size, rate: Math.round(video.downRate), peers: video.peers };
    if (video.size > 0 && (next.bytes !== this.last.bytes || next.peers !== this.last.peers)) this.emit(next, video);
  }

  private emit(next: Progress["last"], video?: LibraryVideo): void {
    this.last = next;
    this.context.output.event({ event: "progress", ...next });
    const percent = Math.floor((100 * next.bytes) / Math.max(1, next.total));
    const who = `${next.peers} ${next.peers === 1 ? "peer" : "peers"}`;
    const doing = video?.state === "checking" ? "checking" : `${formatSize(next.rate)}/s from ${who}`;
    this.context.output.progress(`${percent} % of ${formatSize(next.total)}, ${doing}`);
  }

  private watchFor(timeoutMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.starve(
        this.networkError ??
          new StreamletError(
            "no-sources",
            "Nobody who has this video can be reached now: ask its owner to share it, then run the same command again; what has arrived is kept.",
          ),
      );
    }, timeoutMs);
  }
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, "r");
  try {
    // One buffer again and again: fresh ones of a stream cost more garbage collection than half of the hashing.
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
