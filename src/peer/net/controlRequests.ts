/** The catalogue queries that this side has sent over one control connection and that wait for their answers. */
import { type ControlAnswer, type ControlMessage, MAX_ANSWER_RECORDS } from "../../wire/control";
import { StreamletError } from "../../wire/errors";
import type { Clock } from "../clock";
import type { CatalogAnswer, CatalogQuery } from "./controlAnswers";

/** A search over a large catalogue takes milliseconds; the rest is the other side's link. */
export const REQUEST_TIMEOUT_MS = 15_000;
/** The catalogue asks for one page after the other; more open questions are a mistake. As many as the other side queues. */
const MAX_REQUESTS = 16;
const MAX_REQUEST_ID = 0x7fff_ffff;

/** What a refusal of the other side may tell our caller; codes of other areas would mislead it. */
const PASSED_CODES = ["rate-limited", "too-many", "access-denied", "not-running"] as const;

interface Request {
  /** Most records that the answer may hold. */
  limit: number;
  resolve(answer: CatalogAnswer): void;
  reject(error: StreamletError): void;
  cancelTimer(): void;
}

export class ControlRequests {
  private readonly waiting = new Map<number, Request>();
  private nextId = 1;

  constructor(
    private readonly clock: Clock,
    private readonly send: (message: ControlMessage) => void,
    /** For sentences. */
    private readonly name: () => string,
  ) {}

  has(id: number): boolean {
    return this.waiting.has(id);
  }

  /** @throws StreamletError connection-timeout, too-many, and what a refusal says */
  query(query: CatalogQuery): Promise<CatalogAnswer> {
    if (this.waiting.size >= MAX_REQUESTS) {
      return Promise.reject(
        new StreamletError("too-many", `Too many questions to ${this.name()} are open at once: try again later.`),
      );
    }
    const id = this.nextId;
    this.nextId = id === MAX_REQUEST_ID ? 1 : id + 1;
    const limit = Math.min(query.limit, MAX_ANSWER_RECORDS);
    return new Promise((resolve, reject) => {
      const cancelTimer = this.clock.after(REQUEST_TIMEOUT_MS, () => {
        this.waiting.delete(id);
        const seconds = REQUEST_TIMEOUT_MS / 1000;
        reject(new StreamletError("connection-timeout", `${this.name()} did not answer within ${seconds} s.`));
      });
      this.waiting.set(id, { limit, resolve, reject, cancelTimer });
      this.send({
        type: "query",
        id,
        limit,
        ...(query.text === undefined ? {} : { text: query.text }),
        ...(query.owner === undefined ? {} : { owner: query.owner }),
        ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
      });
    });
  }

  /** An answer to nothing comes too late and is dropped. @throws StreamletError bad-message when it holds more than was asked for */
  onAnswer(answer: ControlAnswer): void {
    const request = this.waiting.get(answer.id);
    if (request === undefined) return;
    const { records, grants = [] } = answer;
    if (records.length > request.limit || grants.length > records.length) {
      throw new StreamletError("bad-message", `${this.name()} answered with more than was asked for.`);
    }
    this.settled(answer.id, request);
    request.resolve({
      records: records.map((record) => new Uint8Array(Buffer.from(record, "base64"))),
      ...(grants.length > 0 ? { grants: grants.map((grant) => new Uint8Array(Buffer.from(grant, "base64"))) } : {}),
      total: answer.total,
      ...(answer.cursor === undefined ? {} : { cursor: answer.cursor }),
    });
  }

  onRefused(id: number, code: string): void {
    const request = this.waiting.get(id);
    if (request === undefined) return;
    this.settled(id, request);
    const known = PASSED_CODES.find((c) => c === code) ?? "bad-message";
    request.reject(new StreamletError(known, `${this.name()} did not show its videos (${code}): try again later.`));
  }

  rejectAll(error: StreamletError): void {
    for (const [id, request] of [...this.waiting]) {
      this.settled(id, request);
      request.reject(error);
    }
  }

  private settled(id: number, request: Request): void {
    request.cancelTimer();
    this.waiting.delete(id);
  }
}
