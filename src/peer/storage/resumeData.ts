/** What the resume file is about; another part file, size or piece length makes it foreign. */
export interface ResumeTarget {
  /** VideoId or v1 info-hash, hex. */
  id: string;
  /** Absolute path of the .part file. */
  partPath: string;
  size: number;
  pieceLength: number;
}

export interface OpenedResume {
  resume: ResumeData;
  /**
   * - fresh: there is no data yet
   * - trusted: every piece marked is in the part file (it was written before it was marked)
   * - recheck: there is data, but it cannot be vouched for (`reason` says why): verify all pieces of the part file and `mark` the good ones; none is marked yet
   */
  state: "fresh" | "trusted" | "recheck";
  reason?: string;
}

/** Which pieces of a download are verified and written. One byte is written per piece, in place: cheap, and safe against kill -9. */
export class ResumeData {
  /** Call it before the part file is created or extended, and again on every restart. Errors: disk-full, write-failed. */
  static open(_path: string, _target: ResumeTarget): OpenedResume {
    throw new Error("in progress");
  }
  /** Marks a piece; call only after the write of its data has returned. */
  mark(_piece: number): void {}
  clear(_piece: number): void {}
  has(_piece: number): boolean {
    return false;
  }
  /** A copy, as on the wire: piece 0 is the high bit of byte 0 (BEP 3). */
  bits(): Uint8Array {
    return new Uint8Array();
  }
  count(): number {
    return 0;
  }
  close(): void {}
}
