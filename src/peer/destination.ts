/** Where a download goes: into the downloads folder, into another folder, or to a new file. */
import { stat } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { DownloadRequest } from "../rpc/peerService";
import { StreamletError } from "../wire/errors";
import { downloadName } from "./downloadSource";
import { exists, uniquePath } from "./storage/fileNames";

/** Errors: file-exists, file-missing (its folder). */
export async function destinationOf(
  downloadsDir: string,
  fileName: string,
  request: Pick<DownloadRequest, "out" | "force">,
): Promise<string> {
  const name = downloadName(fileName);
  if (!request.out) return uniquePath(downloadsDir, name);
  const out = isAbsolute(request.out) ? request.out : resolve(request.out);
  const asFolder = (await isFolder(out)) || /[\\/]$/.test(request.out);
  const path = asFolder ? join(out, name) : out;
  if (!request.force && (await exists(path))) {
    throw new StreamletError(
      "file-exists",
      `${path} exists already. Choose another name, or replace it with --force.`,
      {
        data: { path },
      },
    );
  }
  if (!(await isFolder(dirname(path))) && !asFolder) {
    throw new StreamletError("file-missing", `The folder ${dirname(path)} does not exist. Make it first.`, {
      data: { path: dirname(path) },
    });
  }
  return path;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
