import { type ErrorCode, StreamletError } from "../../wire/errors";

export type FileAction = "read" | "write";

/** System error code (`ENOSPC` ...) of a thrown value, or "". */
export function systemCode(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : "";
}

/** Code and rest of the sentence for each system error that a person can do something about. */
const KNOWN: Record<string, { code: ErrorCode; says: string } | undefined> = {
  ENOSPC: { code: "disk-full", says: "the disk is full. Free some space and try again." },
  EDQUOT: { code: "disk-full", says: "your disk quota is used up. Free some space and try again." },
  EFBIG: {
    code: "disk-full",
    says: "the file is larger than this disk's file system allows. Choose a folder on another disk.",
  },
  EROFS: { code: "write-failed", says: "the disk is read-only. Choose another folder." },
  ENAMETOOLONG: { code: "write-failed", says: "the name is too long for this disk. Choose a shorter one." },
  EIO: { code: "write-failed", says: "the disk reports an error. Check the disk and try again." },
  EMFILE: { code: "write-failed", says: "too many files are open. Close some programs and try again." },
  EBUSY: { code: "write-failed", says: "another program is using it. Close that program and try again." },
};

/**
 * The StreamletError for a failed file operation: disk-full, file-missing, file-exists, file-unreadable or write-failed,
 * with a sentence that says what to do, `data.path`, and the original as `cause`. StreamletErrors pass through unchanged.
 */
export function fileError(error: unknown, action: FileAction, path: string): StreamletError {
  if (error instanceof StreamletError) return error;
  const failed = (code: ErrorCode, says: string) =>
    new StreamletError(code, `Cannot ${action} ${path}: ${says}`, { cause: error, data: { path } });
  const code = systemCode(error);
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return action === "read"
        ? failed("file-missing", "there is no such file. Was it moved or deleted?")
        : failed("write-failed", "its folder does not exist. Was it moved or deleted?");
    case "EACCES":
    case "EPERM":
      return action === "read"
        ? failed("file-unreadable", "permission denied. Allow reading it, or choose another file.")
        : failed("write-failed", "permission denied. Choose a folder that you may write to.");
    case "EISDIR":
      return failed(action === "read" ? "file-unreadable" : "write-failed", "it is a folder. Choose a file.");
    case "EEXIST":
      if ((error as NodeJS.ErrnoException).syscall === "mkdir") {
        return failed("write-failed", "a file is in the way of its folder. Move that file away.");
      }
      return failed("file-exists", "it exists already. Choose another name.");
  }
  const known = KNOWN[code];
  if (known) {
    return failed(action === "read" && known.code === "write-failed" ? "file-unreadable" : known.code, known.says);
  }
  const reason = error instanceof Error ? error.message : String(error);
  return failed(action === "read" ? "file-unreadable" : "write-failed", `${reason}.`);
}
