/**
 * A contact is what one person gives another so that they find each other: a fingerprint, and where it was last reached.
 * Written `FINGERPRINT` or `FINGERPRINT@host:port`, the fingerprint as groups with check characters or as hex.
 */
import { StreamletError } from "./errors";
import { formatFingerprint, parseFingerprint } from "./fingerprint";
import type { Fingerprint } from "./types";

export interface ContactAddress {
  fingerprint: Fingerprint;
  /** A name or an address, without brackets. */
  host?: string;
  port?: number;
}

/** Fingerprint in groups, a host name of 253 characters and a port, with room to spare. */
const MAX_CONTACT_CHARS = 400;
const HOST_PORT = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/;

export function formatContact({ fingerprint, host, port }: ContactAddress): string {
  const id = formatFingerprint(fingerprint);
  if (!host || !port) return id;
  return `${id}@${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** @throws StreamletError `invalid-argument` with what is wrong */
export function parseContact(text: string): ContactAddress {
  const trimmed = text.trim();
  const at = trimmed.indexOf("@");
  const fingerprint =
    trimmed.length <= MAX_CONTACT_CHARS ? parseFingerprint(at < 0 ? trimmed : trimmed.slice(0, at)) : undefined;
  if (!fingerprint) {
    throw new StreamletError(
      "invalid-argument",
      "This is no contact: it begins with a fingerprint of 8 groups of 7 characters. Ask for it again, with Copy Contact.",
    );
  }
  if (at < 0) return { fingerprint };
  const match = HOST_PORT.exec(trimmed.slice(at + 1));
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw new StreamletError("invalid-argument", "After the @ of a contact stands an address: host:port.");
  }
  return { fingerprint, host: match[1] ?? match[2] ?? "", port };
}
