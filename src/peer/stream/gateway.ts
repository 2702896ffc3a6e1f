/**
 * Videos over HTTP on the loopback, for players. Whoever knows a stream's address may read that video and nothing else: the path
 * holds 128 random bits, the Host header has to name the loopback (so that no web page gets here by a name of its own, "DNS
 * rebinding"), and only the origin that the stream was opened for may read the answer from a page.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MAX_DURATION_SECONDS } from "../../wire/constants";
import { type ErrorCode, StreamletError, toErrorInfo } from "../../wire/errors";
import type { Ffmpeg } from "../media/ffmpeg";
import { type ByteRange, parseRange } from "./byteRange";
import { Converter } from "./converter";

const LOOPBACK = "127.0.0.1";
const TOKEN_BYTES = 16;
/** A player opens two or three at a time; ten players are welcome, a loop in a page is not. */
const MAX_REQUESTS = 128;
/** Streams that nobody has closed: the oldest goes. */
const MAX_STREAMS = 256;
const HEADERS_TIMEOUT_MS = 10_000;
/** One chunk of an answer: what may be read in vain when a player aborts. */
const CHUNK_BYTES = 256 * 1024;
/** What a page may know of an answer. */
const EXPOSED_HEADERS = [
  ...["Content-Range", "Content-Length", "Accept-Ranges"],
  ...["X-Streamlet-Codecs", "X-Streamlet-Duration", "X-Streamlet-Error"],
].join(", ");
/** Everything else is a video that cannot be read. */
const STATUS_OF: Partial<Record<ErrorCode, number>> = { "access-denied": 403, "ffmpeg-missing": 501, "too-many": 503 };

/** What is to be read of a video, from one place on. */
export interface Reading {
  /** At least one byte and at most `maxBytes`; empty at the end. */
  read(maxBytes: number): Promise<Buffer>;
  close(): void;
}

export interface StreamSource {
  /** Names this very content: a changed file has another one. Letters, digits, `-`. */
  readonly tag: string;
  /** Shown as the last part of the address, for players that show it; any text. */
  readonly fileName: string;
  readonly contentType: string;
  /** Bytes; resolves as soon as it is known. Errors: what keeps the video from being read. */
  size(signal: AbortSignal): Promise<number>;
  open(position: number): Promise<Reading>;
}

export interface StreamAddress {
  /** Names the stream for `close`. */
  id: string;
  url: string;
}

interface Stream {
  source: StreamSource;
  origin: string | undefined;
  /** Whoever watches has agreed to it. */
  convertible: boolean;
  requests: Set<AbortController>;
}

export class Gateway {
  private readonly streams = new Map<string, Stream>();
  private server: Promise<Server> | undefined;
  private requests = 0;
  private readonly converter: Converter;

  constructor(ffmpeg: () => Ffmpeg) {
    this.converter = new Converter(ffmpeg, this);
  }

  /** @param origin of the page that plays it, for CORS; none for other players */
  async open(source: StreamSource, origin?: string): Promise<StreamAddress> {
    const server = await this.listen();
    const id = randomBytes(TOKEN_BYTES).toString("base64url");
    this.streams.set(id, { source, origin, convertible: false, requests: new Set() });
    const [oldest] = this.streams.keys();
    if (this.streams.size > MAX_STREAMS && oldest !== undefined) this.close(oldest);
    const { port } = server.address() as AddressInfo;
    return { id, url: `http://${LOOPBACK}:${port}/${id}/${encodeURIComponent(source.fileName)}` };
  }

  /** Errors: invalid-argument. */
  allowConversion(id: string): void {
    this.known(id).convertible = true;
  }

  /** The page that plays it has said where it is from. Errors: invalid-argument. */
  allowOrigin(id: string, origin: string): void {
    this.known(id).origin = origin;
  }

  private known(id: string): Stream {
    const stream = this.streams.get(id);
    if (!stream) throw new StreamletError("invalid-argument", "There is no such stream any more.");
    return stream;
  }

  /** Ends what is being read of it. Idempotent. */
  close(id: string): void {
    const stream = this.streams.get(id);
    this.streams.delete(id);
    for (const abort of stream?.requests ?? []) abort.abort();
  }

  async stop(): Promise<void> {
    for (const id of [...this.streams.keys()]) this.close(id);
    const server = await this.server?.catch(() => undefined);
    this.server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  private listen(): Promise<Server> {
    this.server ??= new Promise<Server>((resolve, reject) => {
      const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS });
      server.on("request", (request, response) => void this.onRequest(request, response));
      server.once("error", reject);
      server.listen(0, LOOPBACK, () => resolve(server));
    }).catch((cause) => {
      this.server = undefined;
      throw new StreamletError("internal", "Videos cannot be played: no port of this computer can be listened on.", {
        cause,
      });
    });
    return this.server;
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // An unknown stream, a page's own name for this machine and a wrong path look alike.
    const stream = isLoopbackHost(request.headers.host) ? this.streams.get(tokenOf(request.url)) : undefined;
    if (!stream) return end(response, 404);
    const { origin } = stream;
    if (origin !== undefined && request.headers.origin === origin) {
      response.setHeader("Access-Control-Allow-Origin", origin);
      response.setHeader("Access-Control-Expose-Headers", EXPOSED_HEADERS);
      response.setHeader("Vary", "Origin");
    }
    if (request.method === "OPTIONS") {
      response.setHeader("Access-Control-Allow-Headers", "Range, If-Range");
      return end(response, 204);
    }
    if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405, { Allow: "GET, HEAD" });
    if (this.requests >= MAX_REQUESTS) return end(response, 503, { "Retry-After": "1" });
    const abort = new AbortController();
    response.once("close", () => abort.abort());
    stream.requests.add(abort);
    this.requests++;
    try {
      const conversion = conversionOf(request.url);
      if (conversion === undefined) await answer(request, response, stream.source, abort.signal);
      else await this.answerConverted(request, response, stream, conversion.from, abort.signal);
    } catch (error) {
      if (response.headersSent || response.destroyed) response.destroy();
      else refuse(response, toErrorInfo(error).code);
    } finally {
      this.requests--;
      stream.requests.delete(abort);
    }
  }

  private async answerConverted(
    request: IncomingMessage,
    response: ServerResponse,
    { source, convertible }: Stream,
    from: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (request.method !== "GET") return end(response, 405, { Allow: "GET" });
    if (!convertible) return refuse(response, "access-denied");
    if (!(from >= 0 && from <= MAX_DURATION_SECONDS)) return refuse(response, "invalid-argument", 400);
    const begin = (codecs: string, duration: number | undefined) => {
      response.writeHead(200, {
        "Cache-Control": "no-store",
        "Content-Type": "video/mp4",
        "X-Content-Type-Options": "nosniff",
        "X-Streamlet-Codecs": codecs,
        ...(duration === undefined ? {} : { "X-Streamlet-Duration": String(duration) }),
      });
    };
    const write = async (bytes: Buffer) => {
      if (!response.write(bytes)) await drained(response, signal);
    };
    await this.converter.convert(source, from, { begin, write }, signal);
    response.end();
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: StreamSource,
  signal: AbortSignal,
): Promise<void> {
  const size = await source.size(signal);
  const tag = `"${source.tag}"`;
  const headers: Record<string, string | number> = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
    "Content-Type": source.contentType,
    "X-Content-Type-Options": "nosniff",
    ETag: tag,
  };
  // RFC 9110, 13.1.5: a condition that does not hold makes the range void, not the request.
  const condition = request.headers["if-range"];
  const applies = condition === undefined || condition === tag;
  const range: ByteRange | "unsatisfiable" = parseRange(applies ? request.headers.range : undefined, size);
  if (range === "unsatisfiable") return end(response, 416, { ...headers, "Content-Range": `bytes */${size}` });
  const { begin, length, isPartial } = range;
  if (isPartial) headers["Content-Range"] = `bytes ${begin}-${begin + length - 1}/${size}`;
  headers["Content-Length"] = length;
  response.writeHead(isPartial ? 206 : 200, headers);
  if (request.method === "HEAD" || length === 0) {
    response.end();
    return;
  }
  response.flushHeaders();
  const reader = await source.open(begin);
  signal.addEventListener("abort", () => reader.close(), { once: true });
  try {
    if (signal.aborted) return;
    await pump(reader, response, length, signal);
  } finally {
    reader.close();
  }
}

async function pump(reader: Reading, response: ServerResponse, length: number, signal: AbortSignal): Promise<void> {
  for (let left = length; left > 0 && !signal.aborted; ) {
    const bytes = await reader.read(Math.min(left, CHUNK_BYTES));
    if (bytes.length === 0) break;
    left -= bytes.length;
    if (!response.write(bytes)) await drained(response, signal);
  }
  if (!signal.aborted) response.end();
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}

function end(response: ServerResponse, status: number, headers: Record<string, string | number> = {}): void {
  response.writeHead(status, { "Cache-Control": "no-store", ...headers, "Content-Length": 0 });
  response.end();
}

/** The code says what is the matter, the status how others take it. @param status where the code alone does not say it */
function refuse(response: ServerResponse, code: ErrorCode, status = STATUS_OF[code] ?? 502): void {
  end(response, status, { "X-Streamlet-Error": code, ...(status === 503 ? { "Retry-After": "1" } : {}) });
}

/** Undefined where the video is wanted as it is. */
function conversionOf(url: string | undefined): { from: number } | undefined {
  const { searchParams } = new URL(url ?? "/", `http://${LOOPBACK}`);
  if (searchParams.get("convert") !== "1") return undefined;
  return { from: Number(searchParams.get("from") ?? "0") };
}

function tokenOf(url: string | undefined): string {
  return /^\/([A-Za-z0-9_-]+)\//.exec(url ?? "")?.[1] ?? "";
}

/** Any port: what forwards a port to another machine's loopback keeps the name. */
function isLoopbackHost(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i.test(host ?? "");
}
