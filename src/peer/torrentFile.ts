/** The `.torrent` file of a public video, for any BitTorrent client. */
import { fromHex } from "../wire/bytes";
import { StreamletError } from "../wire/errors";
import { buildTorrent } from "../wire/metainfo";
import { announceUrl } from "../wire/trackerAddress";
import type { RunningPeer } from "./runningPeer";
import { safeFileName } from "./storage/fileNames";
import { HashTree } from "./storage/hashTree";
import type { LibraryEntry } from "./storage/library";

/** Errors: invalid-argument where it is not public, or its description or piece hashes are not all here yet. */
export async function torrentFile(peer: RunningPeer, entry: LibraryEntry): Promise<{ fileName: string; data: string }> {
  if (entry.audience !== "public") {
    throw new StreamletError("invalid-argument", "Only a video that is shared with Public has a torrent file.");
  }
  const infoBytes = await peer.library.readInfo(entry.key);
  const layer = pieceLayer(peer, entry);
  if (!infoBytes || (entry.piecesRoot && !layer)) {
    throw new StreamletError(
      "invalid-argument",
      "This video has no torrent file yet: wait until it is hashed or downloaded.",
    );
  }
  const bytes = buildTorrent({
    infoBytes,
    ...(entry.piecesRoot && layer ? { piecesRoot: fromHex(entry.piecesRoot), pieceLayer: layer } : {}),
    // A tracker that wants a token is left out: it would be in everybody's hands.
    announce: peer.config.trackers.flatMap((address) => announceUrl(address) ?? []),
  });
  return { fileName: safeFileName(`${entry.fileName}.torrent`), data: Buffer.from(bytes).toString("base64") };
}

/** Undefined while some of it is unknown; empty for a video of one piece. */
function pieceLayer({ library }: RunningPeer, entry: LibraryEntry): Uint8Array | undefined {
  const { key, piecesRoot, pieceLength, size } = entry;
  if (!piecesRoot || !pieceLength || size === 0) return undefined;
  const tree = HashTree.open(library.treePath(key), { piecesRoot: fromHex(piecesRoot), length: size, pieceLength });
  try {
    return tree.pieceLayer();
  } finally {
    tree.close();
  }
}
