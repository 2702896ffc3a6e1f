import { copyFile, open, readFile, rename, rm, stat } from "node:fs/promises";
import { fileError, systemCode } from "../storage/fileErrors";
import { damagedName, writeAtomic } from "../storage/jsonFile";
import { CHAT_LINE, type ChatLine, Conversation } from "./conversation";

/** Much more than the bounds of chatStore.ts let a conversation grow to, lines that no longer count included. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;
/** A file is written anew when it is twice as long as it was then, and this much: appending stays cheap, dead lines stay few. */
const REWRITE_SLACK_BYTES = 64 * 1024;

interface Pending {
  line: ChatLine;
  resolve(changed: boolean): void;
  reject(error: unknown): void;
}

/**
 * One conversation and its file of JSON lines. A line counts in memory when it is on disk, in the same order; lines that come
 * while others are being written share one write. A line that a kill has cut off was never promised to anybody and goes;
 * a file with lines that cannot be read is kept aside as `<path>.damaged-<time>` and the others stay.
 */
export class ChatLog {
  readonly conversation = new Conversation();
  private pending: Pending[] = [];
  private tail: Promise<void> = Promise.resolve();
  /** Lines that are not on disk yet. */
  private unwritten = 0;
  private fileBytes = 0;
  /** Length of the file when it was written anew, or read. */
  private writtenBytes = 0;
  /** The next write makes the file anew: there is none, or it may not end with a whole line. */
  private mustRewrite = true;

  private constructor(private readonly path: string) {}

  /** Errors: file-unreadable, disk-full, write-failed. */
  static async open(path: string): Promise<ChatLog> {
    const log = new ChatLog(path);
    await log.load();
    return log;
  }

  /** A conversation that has no file yet. */
  static create(path: string): ChatLog {
    return new ChatLog(path);
  }

  /** No line is on its way to the disk. */
  get idle(): boolean {
    return this.unwritten === 0;
  }

  /** On disk when it resolves; false where it changed nothing. Errors: disk-full, write-failed (the line does not count then). */
  append(line: ChatLine): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.unwritten += 1;
      this.pending.push({ line, resolve, reject });
      if (this.pending.length === 1) this.inTurn(() => this.writePending());
    });
  }

  /** Deletes file and content. Errors: write-failed. */
  remove(): Promise<void> {
    return this.inTurn(async () => {
      try {
        await rm(this.path, { force: true });
      } catch (error) {
        throw fileError(error, "write", this.path);
      }
      this.conversation.clear();
      this.mustRewrite = true;
    });
  }

  /** Resolves when everything so far is written. */
  async settled(): Promise<void> {
    await this.tail;
  }

  private inTurn(run: () => Promise<void>): Promise<void> {
    const result = this.tail.then(run);
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Never rejects: whoever appended is told. */
  private async writePending(): Promise<void> {
    const batch = this.pending;
    this.pending = [];
    try {
      await this.write(batch.map(({ line }) => format(line)).join(""));
    } catch (error) {
      this.unwritten -= batch.length;
      for (const { reject } of batch) reject(error);
      return;
    }
    this.unwritten -= batch.length;
    for (const { line, resolve } of batch) resolve(this.conversation.apply(line));
    const isLong = this.fileBytes > 2 * this.writtenBytes + REWRITE_SLACK_BYTES;
    // The lines are safe already: a file that stays long costs space only.
    if (isLong) await this.rewrite("").catch(() => undefined);
  }

  private async write(text: string): Promise<void> {
    if (this.mustRewrite) return this.rewrite(text);
    try {
      const file = await open(this.path, "a");
      try {
        await file.writeFile(text);
        await file.datasync();
      } finally {
        await file.close();
      }
      this.fileBytes += Buffer.byteLength(text);
    } catch (error) {
      this.mustRewrite = true;
      throw fileError(error, "write", this.path);
    }
  }

  private async rewrite(more: string): Promise<void> {
    const text = [...this.conversation.lines()].map(format).join("") + more;
    await writeAtomic(this.path, text);
    this.fileBytes = Buffer.byteLength(text);
    this.writtenBytes = this.fileBytes;
    this.mustRewrite = false;
  }

  private async load(): Promise<void> {
    const text = await this.readFile();
    const lines = text.split("\n");
    const unfinished = lines.pop() ?? "";
    let damaged = 0;
    for (const line of lines) {
      const parsed = parse(line);
      if (parsed) this.conversation.apply(parsed);
      else if (line !== "") damaged += 1;
    }
    this.fileBytes = Buffer.byteLength(text);
    this.writtenBytes = this.fileBytes;
    if (damaged > 0) await this.keepAside(copyFile);
    if (damaged === 0 && unfinished === "") {
      this.mustRewrite = text === "";
      return;
    }
    // A disk that is full now is no reason not to show what was said: the next line tries again.
    await this.rewrite("").catch(() => undefined);
  }

  private async readFile(): Promise<string> {
    try {
      if ((await stat(this.path)).size > MAX_FILE_BYTES) {
        await this.keepAside(rename);
        return "";
      }
      return await readFile(this.path, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return "";
      throw fileError(error, "read", this.path);
    }
  }

  private async keepAside(move: (from: string, to: string) => Promise<void>): Promise<void> {
    try {
      await move(this.path, damagedName(this.path));
    } catch (error) {
      throw fileError(error, "write", this.path);
    }
  }
}

function format(line: ChatLine): string {
  return `${JSON.stringify(line)}\n`;
}

function parse(text: string): ChatLine | undefined {
  try {
    return CHAT_LINE.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
