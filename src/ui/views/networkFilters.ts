/** What the Network view is narrowed by, and how it says so. */
import { l10n } from "vscode";
import type { NetworkQuery } from "../../peer/status";
import type { Fingerprint } from "../../wire/types";

/** Each narrows; absent ones do not. */
export interface NetworkFilters {
  /** Their Peer ID is for the eye only. */
  owner?: { fingerprint: Fingerprint; peerId: string };
  /** Seconds, both inclusive. */
  minDuration?: number;
  maxDuration?: number;
  /** Pixels. */
  minHeight?: number;
  friendsOnly?: boolean;
}

export type NetworkSort = NonNullable<NetworkQuery["sort"]>;

export function queryOf({ owner, ...rest }: NetworkFilters): Omit<NetworkQuery, "limit"> {
  return { ...rest, ...(owner ? { owner: owner.fingerprint } : {}) };
}

/** One short text for each filter that is on. */
export function filterTexts({ owner, minDuration, maxDuration, minHeight, friendsOnly }: NetworkFilters): string[] {
  return [
    owner?.peerId,
    friendsOnly ? l10n.t("friends only") : undefined,
    durationRange(minDuration, maxDuration),
    minHeight === undefined ? undefined : l10n.t("{0}p or more", minHeight),
  ].filter((text) => text !== undefined);
}

/** All filters in one line, undefined when none is on. */
export function filterSummary(filters: NetworkFilters): string | undefined {
  const texts = filterTexts(filters);
  if (texts.length === 0) return undefined;
  const list = texts.join(", ");
  return texts.length === 1 ? l10n.t("1 filter: {0}", list) : l10n.t("{0} filters: {1}", texts.length, list);
}

export function durationRange(min: number | undefined, max: number | undefined): string | undefined {
  if (min !== undefined && max !== undefined) return l10n.t("{0} to {1} min", minutes(min), minutes(max));
  if (min !== undefined) return l10n.t("over {0} min", minutes(min));
  return max === undefined ? undefined : l10n.t("under {0} min", minutes(max));
}

/** Whole ones as such, others with one digit. */
function minutes(seconds: number): string {
  return String(Math.round(seconds / 6) / 10);
}

export function sortText(sort: NetworkSort): string {
  switch (sort) {
    case "newest":
      return l10n.t("Newest first");
    case "name":
      return l10n.t("Name");
    case "size":
      return l10n.t("Size");
    case "sources":
      return l10n.t("Number of sources");
  }
}

export const NETWORK_SORTS = ["newest", "name", "size", "sources"] as const satisfies readonly NetworkSort[];
