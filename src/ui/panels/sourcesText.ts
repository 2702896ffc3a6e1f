import { l10n } from "vscode";
import type { VideoSource } from "../../peer/status";
import { shortFingerprint } from "../../wire/fingerprint";
import { formatRate } from "../format";

/** More do not fit beside a video. */
const MAX_NAMED = 3;

export function nameOfSource({ peerId, fingerprint }: VideoSource): string {
  return peerId || (fingerprint ? shortFingerprint(fingerprint) : l10n.t("BitTorrent client"));
}

/** Who gives how fast, the fastest first: `from Alice 2.1 MB/s, Bob 640 kB/s and 2 more`; undefined while nobody does. */
export function sourcesText(sources: readonly VideoSource[]): string | undefined {
  const giving = sources.filter(({ self, downRate }) => !self && downRate >= 1).sort((a, b) => b.downRate - a.downRate);
  if (giving.length === 0) return undefined;
  const named = giving.slice(0, MAX_NAMED).map((source) => `${nameOfSource(source)} ${formatRate(source.downRate)}`);
  const rest = giving.length - named.length;
  const list = named.join(", ");
  return rest > 0 ? l10n.t("from {0} and {1} more", list, rest) : l10n.t("from {0}", list);
}
