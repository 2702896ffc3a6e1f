import type { Socket } from "node:net";
import { HANDSHAKE_BYTES } from "../../wire/constants";
import { StreamletError } from "../../wire/errors";
import { decodeHandshake, type Handshake } from "../../wire/handshake";

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The handshake of an accepted connection (BEP 3); what follows stays unread. Errors: bad-handshake, connection-lost, connection-timeout. */
export function readHandshake(socket: Socket): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      clearTimeout(timer);
      socket.off("readable", onReadable);
      socket.off("close", onClose);
      if (error) reject(error);
    };
    const onReadable = () => {
      const bytes = socket.read(HANDSHAKE_BYTES) as Buffer | null;
      if (!bytes) return;
      finish();
      try {
        resolve(decodeHandshake(bytes));
      } catch (error) {
        reject(error);
      }
    };
    const onClose = () => finish(new StreamletError("connection-lost", "The peer closed the connection."));
    const timer = setTimeout(
      () => finish(new StreamletError("connection-timeout", "No handshake came.")),
      HANDSHAKE_TIMEOUT_MS,
    );
    timer.unref();
    socket.on("readable", onReadable);
    socket.on("close", onClose);
    onReadable();
  });
}
