import type { Socket } from "node:net";
import {
  EXTENDED_HANDSHAKE_ID,
  HANDSHAKE_BYTES,
  LENGTH_PREFIX_BYTES,
  MAX_EXTENDED_HANDSHAKE_BYTES,
  MESSAGE_ID,
} from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { decodeExtendedHandshake, type ExtendedHandshake } from "../../wire/extensions";
import { decodeHandshake, type Handshake } from "../../wire/handshake";

/** For the handshake and, where it is wanted, the extended handshake together. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** `extended`, and which extended message. */
const EXTENDED_HEADER_BYTES = 2;

/** When whoever has just connected must have shown what they come for, as `performance.now` counts. */
export function handshakeDeadline(): number {
  return performance.now() + HANDSHAKE_TIMEOUT_MS;
}

/** The handshake of an accepted connection (BEP 3); what follows stays unread. Errors: bad-handshake, connection-lost, connection-timeout. */
export async function readHandshake(socket: Socket, deadline: number): Promise<Handshake> {
  return decodeHandshake(await readBytes(socket, HANDSHAKE_BYTES, deadline));
}

/**
 * Looks at the extended handshake (BEP 10), which is the first message after the handshake between Streamlet peers, and leaves it
 * to be read again. Nothing else is waited for.
 * Errors: bad-message (another message, or too large), connection-lost, connection-timeout.
 */
export async function peekExtendedHandshake(socket: Socket, deadline: number): Promise<ExtendedHandshake> {
  const prefix = await readBytes(socket, LENGTH_PREFIX_BYTES, deadline);
  const length = prefix.readUInt32BE(0);
  if (length < EXTENDED_HEADER_BYTES || length > EXTENDED_HEADER_BYTES + MAX_EXTENDED_HANDSHAKE_BYTES) {
    throw new StreamletError("bad-message", "The peer did not begin with an extended handshake.");
  }
  const frame = await readBytes(socket, length, deadline);
  if (frame[0] !== MESSAGE_ID.extended || frame[1] !== EXTENDED_HANDSHAKE_ID) {
    throw new StreamletError("bad-message", "The peer did not begin with an extended handshake.");
  }
  const hello = decodeExtendedHandshake(frame.subarray(EXTENDED_HEADER_BYTES));
  socket.unshift(Buffer.concat([prefix, frame]));
  return hello;
}

/** As soon as so many bytes are there. */
function readBytes(socket: Socket, count: number, deadline: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      clearTimeout(timer);
      socket.off("readable", onReadable);
      socket.off("close", onClose);
      if (error) reject(error);
    };
    const onReadable = () => {
      const bytes = socket.read(count) as Buffer | null;
      if (!bytes) return;
      finish();
      resolve(bytes);
    };
    const onClose = () => finish(new StreamletError("connection-lost", "The peer closed the connection."));
    const timer = setTimeout(
      () => finish(new StreamletError("connection-timeout", "No handshake came.")),
      Math.max(0, deadline - performance.now()),
    );
    timer.unref();
    socket.on("readable", onReadable);
    socket.on("close", onClose);
    onReadable();
  });
}
