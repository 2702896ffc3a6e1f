/**
 * First bytes between two windows. Any local process can open the socket, so each side proves that it knows the secret of
 * this installation (a file that only this user can read) before anything else is said; the secret itself is never sent.
 * Three lines of JSON, then the stream belongs to the RPC:
 *
 *   follower -> {version, nonce}
 *   owner    -> {version, nonce, proof}     or {version, refused} when the versions differ
 *   follower -> {proof}
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";

/** A greeting is under 200 bytes; whoever sends more is not a window. */
const MAX_LINE_BYTES = 1024;
/** Both sides are on one machine and answer in milliseconds; a busy extension host may take a second. */
const GREETING_TIMEOUT_MS = 5_000;
const NONCE_BYTES = 32;

export type Greeting = "welcome" | "stranger" | "otherVersion";

interface Line {
  version?: unknown;
  nonce?: unknown;
  proof?: unknown;
}

/** Resolves with what the other side is. Only for `welcome` the socket is left open: paused, with unread bytes put back. */
export async function greetFollower(socket: Socket, secret: Buffer, version: number): Promise<Greeting> {
  return guard(socket, async (readLine) => {
    const hello = await readLine();
    if (hello.version !== version) {
      socket.end(`${JSON.stringify({ version })}\n`);
      return "otherVersion";
    }
    const theirs = nonceOf(hello);
    if (!theirs) return "stranger";
    const mine = randomBytes(NONCE_BYTES).toString("hex");
    socket.write(`${JSON.stringify({ version, nonce: mine, proof: prove(secret, "owner", theirs, mine) })}\n`);
    const answer = await readLine();
    return matches(answer.proof, prove(secret, "follower", theirs, mine)) ? "welcome" : "stranger";
  });
}

/** The other end of `greetFollower`. */
export async function greetOwner(socket: Socket, secret: Buffer, version: number): Promise<Greeting> {
  return guard(socket, async (readLine) => {
    const mine = randomBytes(NONCE_BYTES).toString("hex");
    socket.write(`${JSON.stringify({ version, nonce: mine })}\n`);
    const answer = await readLine();
    if (answer.version !== version) return "otherVersion";
    const theirs = nonceOf(answer);
    if (!theirs || !matches(answer.proof, prove(secret, "owner", mine, theirs))) return "stranger";
    socket.write(`${JSON.stringify({ proof: prove(secret, "follower", mine, theirs) })}\n`);
    return "welcome";
  });
}

function prove(secret: Buffer, role: "owner" | "follower", followersNonce: string, ownersNonce: string): string {
  return createHmac("sha256", secret).update(`${role}\n${followersNonce}\n${ownersNonce}`).digest("hex");
}

function matches(proof: unknown, expected: string): boolean {
  if (typeof proof !== "string") return false;
  const given = Buffer.from(proof);
  const wanted = Buffer.from(expected);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function nonceOf(line: Line): string | undefined {
  return typeof line.nonce === "string" && line.nonce.length === NONCE_BYTES * 2 ? line.nonce : undefined;
}

/** Runs a greeting with bounded lines and time; a side that breaks either, or closes, is a stranger. */
async function guard(socket: Socket, greet: (readLine: () => Promise<Line>) => Promise<Greeting>): Promise<Greeting> {
  let buffered = Buffer.alloc(0);
  let wake = () => {};
  let ended = false;
  const onData = (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    wake();
  };
  const onEnd = () => {
    ended = true;
    wake();
  };
  const timer = setTimeout(onEnd, GREETING_TIMEOUT_MS);
  socket.on("data", onData).on("error", onEnd).on("close", onEnd).on("end", onEnd);

  const readLine = async (): Promise<Line> => {
    for (;;) {
      const end = buffered.indexOf(0x0a);
      if (end >= 0 && end <= MAX_LINE_BYTES) {
        const line = buffered.subarray(0, end).toString("utf8");
        buffered = buffered.subarray(end + 1);
        const value: unknown = JSON.parse(line);
        if (value === null || typeof value !== "object") throw new Error("not an object");
        return value;
      }
      if (ended || buffered.length > MAX_LINE_BYTES) throw new Error("no line");
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };

  let greeting: Greeting;
  try {
    greeting = await greet(readLine);
  } catch {
    greeting = "stranger";
  } finally {
    clearTimeout(timer);
    socket.off("data", onData).off("close", onEnd).off("end", onEnd);
  }
  if (greeting === "welcome") {
    // Its error listener stays: an error is followed by `close`, which is what the RPC hears.
    socket.pause();
    if (buffered.length > 0) socket.unshift(buffered);
  } else if (!socket.writableEnded) {
    socket.destroy();
  }
  return greeting;
}
