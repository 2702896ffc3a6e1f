import { randomBytes, timingSafeEqual } from "node:crypto";
import { link, mkdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import * as z from "zod";
import { StreamletError } from "../src/wire/errors";
import { isPeerId, MAX_PEER_ID_CHARS } from "../src/wire/trackerAddress";

/** In the data folder while a tracker runs there; only the folder's owner can read it, which is what allows to control it. */
const FILE = "control.json";
/** A local process answers at once; one that does not is stopped or is not a tracker. */
const ANSWER_TIMEOUT_MS = 3_000;

const fileSchema = z.object({
  pid: z.number().int().positive(),
  port: z.number().int().min(1).max(65_535),
  token: z.string().regex(/^[0-9a-f]{64}$/),
});
type ControlFile = z.infer<typeof fileSchema>;

/**
 * The data folder of a running tracker: nobody else writes names there, and `release` reaches it through a port of the
 * loopback with a token that stands in a file only its owner can read. (HTTP works the same on every system; a local socket's
 * path may be too long for macOS, and Windows has none.)
 */
export class ControlChannel {
  private constructor(
    private readonly path: string,
    private readonly server: Server,
  ) {}

  /** Errors: data-folder-in-use, and those of the file system. */
  static async open(folder: string, onRelease: (name: string) => Promise<boolean>): Promise<ControlChannel> {
    await mkdir(folder, { recursive: true });
    const token = randomBytes(32).toString("hex");
    const server = createServer((incoming, response) => {
      handle(incoming, token, onRelease).then(
        ({ status, body }) =>
          response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body)),
        () => response.writeHead(500).end(),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const path = join(folder, FILE);
    const text = JSON.stringify({ pid: process.pid, port: (server.address() as AddressInfo).port, token });
    try {
      await acquire(path, text);
    } catch (error) {
      server.close();
      throw error;
    }
    return new ControlChannel(path, server);
  }

  async close(): Promise<void> {
    await rm(this.path, { force: true });
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

/** Undefined when no tracker runs in this folder. Errors: internal when one does and does not answer. */
export async function releaseAtRunningTracker(folder: string, name: string): Promise<boolean | undefined> {
  const file = await readControlFile(join(folder, FILE));
  if (!file) return undefined;
  const answer = await ask(file, `/release?name=${encodeURIComponent(name)}`);
  return answer?.released;
}

/** Makes the file, which holds the folder; a file that a killed tracker left behind is put aside first. */
async function acquire(path: string, text: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(path, text, { flag: "wx", mode: 0o600 });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readControlFile(path);
    if (holder && (await ask(holder, "/ping")) !== undefined) throw inUse(path, holder.pid);
    const aside = `${path}.${process.pid}`;
    await rename(path, aside).catch(ignoreMissing);
    // Another tracker may have been faster and this may be its file: then it gets it back.
    const moved = await readControlFile(aside);
    if (moved && moved.token !== holder?.token) {
      await link(aside, path).catch(() => {});
      await unlink(aside).catch(ignoreMissing);
      throw inUse(path, moved.pid);
    }
    await rm(aside, { force: true });
  }
  throw inUse(path, 0);
}

function inUse(path: string, pid: number): StreamletError {
  return new StreamletError(
    "data-folder-in-use",
    `Another tracker${pid > 0 ? ` (process ${pid})` : ""} keeps its names in this folder (${path}): stop it, or choose another folder with --data.`,
    { data: { pid } },
  );
}

/** Undefined when there is none, or none that is whole. */
async function readControlFile(path: string): Promise<ControlFile | undefined> {
  try {
    const parsed = fileSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

async function handle(incoming: IncomingMessage, token: string, onRelease: (name: string) => Promise<boolean>) {
  const given = Buffer.from(incoming.headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return { status: 401, body: {} };
  const url = new URL(incoming.url ?? "/", "http://127.0.0.1");
  if (url.pathname === "/ping") return { status: 200, body: { released: false } };
  const name = url.searchParams.get("name") ?? "";
  if (incoming.method !== "POST" || url.pathname !== "/release" || name.length > MAX_PEER_ID_CHARS || !isPeerId(name)) {
    return { status: 400, body: {} };
  }
  return { status: 200, body: { released: await onRelease(name) } };
}

const answerSchema = z.object({ released: z.boolean() });

/** Undefined when nobody answers there, or somebody who does not know the token. Errors: internal when it hangs or fails. */
function ask({ port, token, pid }: ControlFile, path: string): Promise<{ released: boolean } | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, path, method: "POST", headers: { authorization: `Bearer ${token}` } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text = (text + part).slice(0, 1000);
        });
        response.on("end", () => {
          if (response.statusCode === 401) return resolve(undefined);
          const parsed = answerSchema.safeParse(response.statusCode === 200 ? safeJson(text) : undefined);
          if (parsed.success) resolve(parsed.data);
          else reject(new StreamletError("internal", "The running tracker did not understand the request."));
        });
        response.on("error", () => resolve(undefined));
      },
    );
    outgoing.setTimeout(ANSWER_TIMEOUT_MS, () => {
      outgoing.destroy();
      reject(new StreamletError("internal", `The tracker in this folder (process ${pid}) does not answer.`));
    });
    outgoing.on("error", () => resolve(undefined));
    outgoing.end();
  });
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
