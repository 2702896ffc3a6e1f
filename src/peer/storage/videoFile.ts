export type Container = "mp4" | "mov" | "matroska" | "webm" | "avi" | "flv";
export interface VideoFile {
  size: number;
  container: Container;
  mtimeMs: number;
}
/** Errors: file-missing, file-unreadable, empty-file, unsupported-format, not-a-video. */
export async function checkVideoFile(_path: string): Promise<VideoFile> {
  throw new Error("in progress");
}
