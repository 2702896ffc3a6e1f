/** What the upload form says of its files, in figures. */
import { l10n } from "vscode";
import { type OptimisedHeight, optimisedSize } from "../../peer/smallerCopy";
import type { FileFacts } from "../../peer/status";
import type { UploadForm } from "../../rpc/uploadPanel";
import { formatBytes, formatDuration } from "../format";

export interface FileWithFacts {
  /** Bytes. */
  size: number;
  /** Undefined until somebody has looked. */
  facts: FileFacts | undefined;
}

/** A copy that is not at least so much smaller is no reason for an hour of work. */
const WORTH_IT = 0.9;

/** `2:31 · 1920 × 1080 · 1.2 GB`, as far as it is known. */
export function describeFile({ size, facts = {} }: FileWithFacts): string {
  const { duration, width, height } = facts;
  return [
    duration === undefined ? undefined : formatDuration(duration),
    width && height ? `${width} × ${height}` : undefined,
    formatBytes(size),
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}

/** What each form of the files weighs, all of them together. */
export function describeForms(files: readonly FileWithFacts[]): Record<UploadForm, string> {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return {
    original: formatBytes(size),
    "1080": describeCopy(files, size, 1080),
    "720": describeCopy(files, size, 720),
  };
}

function describeCopy(files: readonly FileWithFacts[], size: number, height: OptimisedHeight): string {
  const durations = files.map((file) => file.facts?.duration);
  if (durations.some((duration) => duration === undefined)) {
    return l10n.t("H.264 and AAC, which play everywhere; the original stays.");
  }
  const most = files.reduce(
    (sum, file) => sum + optimisedSize(height, { size: file.size, duration: file.facts!.duration! }),
    0,
  );
  const text = formatBytes(Math.min(most, size));
  return most < size * WORTH_IT
    ? l10n.t("At most {0}. H.264 and AAC, which play everywhere; the original stays.", text)
    : l10n.t("Up to {0}, hardly smaller. H.264 and AAC, which play everywhere.", text);
}
