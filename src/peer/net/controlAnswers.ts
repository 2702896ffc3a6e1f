/** Answers the catalogue queries of one control connection: one after the other, each answer small enough for a frame. */
import type { Writable } from "node:stream";
import {
  type ControlAnswer,
  type ControlChat,
  type ControlChatTaken,
  type ControlMessage,
  type ControlQuery,
  MAX_CONTROL_FRAME_BYTES,
} from "../../wire/control";
import { StreamletError } from "../../wire/errors";
import type { Fingerprint, VideoId } from "../../wire/types";

/** Queries of the other side that wait; those beyond are refused. As many as it may have open. */
const MAX_QUERIES = 16;
/** Type, id, total, and a cursor in the longest escaping (6 bytes for each of its 2048 characters) around the records. */
const ENVELOPE_BYTES = 16 * 1024;
/** Two quotes and a comma around each record and each grant. */
const RECORD_PUNCTUATION_BYTES = 3;
/** The catalogue may change between two questions; a third one that does not fit either is a mistake of the engine. */
const MAX_FITTING_TRIES = 3;

export interface CatalogAnswer {
  /** Signed video records as they are; whoever asked verifies them. */
  records: Uint8Array[];
  /** For those of `records` that are for friends only, made out to whoever asked; in any order. */
  grants?: Uint8Array[];
  /** How many match in all. */
  total: number;
  /** Gives the next page; absent on the last one. */
  cursor?: string;
}

export interface CatalogQuery {
  text?: string;
  owner?: Fingerprint;
  /** 1 to MAX_ANSWER_RECORDS of src/wire/control.ts. */
  limit: number;
  cursor?: string;
}

/** Where a line of a conversation came from, and where the answer goes. */
export interface ChatLink {
  readonly peer: { readonly peerId: string; readonly fingerprint: Fingerprint };
  sendChat(message: ControlChat | ControlChatTaken): void;
}

export interface CallBackRequest {
  id: VideoId;
  /** Not yet verified. */
  grant?: Uint8Array;
}

export interface ControlPeer {
  /** Display name as the peer says it. */
  peerId: string;
  /** Proven by TLS. */
  fingerprint: Fingerprint;
  host: string;
  /** Where it listens, 0 = nowhere: as dialled, or as its hello says. */
  port: number;
}

/** What a control connection asks of the engine. */
export interface ControlHost {
  hello(): {
    peerId: string;
    /** Where this peer listens, 0 = nowhere. */
    port: number;
    /** Of the program, at most 32 characters. */
    version?: string;
  };
  /**
   * Must honour `limit`, with a cursor that goes on right after the last record of the page: when a page does not fit into
   * one frame, it is asked for again with a lower limit.
   */
  catalog(query: CatalogQuery, requester: Fingerprint): CatalogAnswer | Promise<CatalogAnswer>;
  /** Who cannot reach this peer asks to be dialled for a video. */
  callBack?(request: CallBackRequest, from: ControlPeer): void;
  /** Without it chat is skipped, like any message of a later version. */
  chat?(message: ControlChat | ControlChatTaken, link: ChatLink): void;
}

export class ControlAnswers {
  private readonly queries: ControlQuery[] = [];
  private busy = false;
  private disposed = false;

  constructor(
    private readonly host: Pick<ControlHost, "catalog">,
    private readonly requester: Fingerprint,
    private readonly socket: Writable,
    private readonly send: (message: ControlMessage) => void,
  ) {}

  add(query: ControlQuery): void {
    if (this.queries.length >= MAX_QUERIES) {
      this.send({ type: "refused", id: query.id, code: "too-many" });
      return;
    }
    this.queries.push(query);
    if (!this.busy) void this.work();
  }

  dispose(): void {
    this.disposed = true;
    this.queries.length = 0;
  }

  /** Never rejects. None is worked on while the socket is full: who does not read answers gets no more of them. */
  private async work(): Promise<void> {
    this.busy = true;
    for (let query = this.queries.shift(); query !== undefined; query = this.queries.shift()) {
      await this.drained();
      if (this.disposed) break;
      const reply = await this.replyTo(query);
      if (this.disposed) break;
      this.send(reply);
    }
    this.busy = false;
  }

  private async replyTo(query: ControlQuery): Promise<ControlMessage> {
    try {
      let limit = query.limit;
      for (let tries = 0; tries < MAX_FITTING_TRIES; tries++) {
        const answer = await this.answerTo(query, limit);
        const fit = countFitting(answer.records, answer.grants ?? []);
        if (fit === answer.records.length) return answer;
        limit = Math.max(1, fit);
      }
      return { type: "refused", id: query.id, code: "internal" };
    } catch (error) {
      return { type: "refused", id: query.id, code: error instanceof StreamletError ? error.code : "internal" };
    }
  }

  private async answerTo(query: ControlQuery, limit: number): Promise<ControlAnswer> {
    const { text, owner, cursor } = query;
    const found = await this.host.catalog(
      {
        limit,
        ...(text === undefined ? {} : { text }),
        ...(owner === undefined ? {} : { owner }),
        ...(cursor === undefined ? {} : { cursor }),
      },
      this.requester,
    );
    return {
      type: "answer",
      id: query.id,
      records: found.records.map((record) => Buffer.from(record).toString("base64")),
      ...(found.grants?.length ? { grants: found.grants.map((grant) => Buffer.from(grant).toString("base64")) } : {}),
      total: found.total,
      ...(found.cursor === undefined ? {} : { cursor: found.cursor }),
    };
  }

  private drained(): Promise<void> {
    if (!this.socket.writableNeedDrain || this.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off("drain", done);
        this.socket.off("close", done);
        resolve();
      };
      this.socket.on("drain", done);
      this.socket.on("close", done);
    });
  }
}

/** How many of these base64 records, from the first, fit into one answer, each with a grant as large as the largest of these. */
function countFitting(records: readonly string[], grants: readonly string[]): number {
  const grantBytes = grants.reduce((most, { length }) => Math.max(most, length + RECORD_PUNCTUATION_BYTES), 0);
  let bytes = ENVELOPE_BYTES;
  let count = 0;
  for (const record of records) {
    bytes += record.length + RECORD_PUNCTUATION_BYTES + grantBytes;
    if (bytes > MAX_CONTROL_FRAME_BYTES) break;
    count += 1;
  }
  return count;
}
