import { formatHostPort } from "../../peer/net/addresses";
import { formatFingerprint } from "../../wire/fingerprint";
import { cleanText } from "../../wire/text";
import type { Context } from "../peer";
import { formatTable } from "../text";
import { refreshNetwork } from "./list";

/** The most that the engine answers at once. */
const MAX_PEERS = 10_000;

export async function peers(context: Context): Promise<void> {
  const { session, output, shutdown } = context;
  await refreshNetwork(context);
  const page = await shutdown.race(session.queryPeers({ limit: MAX_PEERS }));
  for (const { peerId, fingerprint, host, port, self } of page.peers) {
    output.event({ event: "peer", peerId, fingerprint, host, port, self });
  }
  const rows = page.peers.map(({ peerId, fingerprint, host, port, self }) => [
    cleanText(peerId) + (self ? " (you)" : ""),
    cleanText(formatHostPort(host, port)),
    formatFingerprint(fingerprint),
  ]);
  for (const text of formatTable(rows.length > 0 ? [["PEER ID", "ADDRESS", "KEY"], ...rows] : [])) output.line(text);
  if (rows.length === 0) output.line("Nobody is online.");
  if (page.total > rows.length) output.note(`${page.total - rows.length} more are not shown.`);
}
