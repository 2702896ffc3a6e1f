/** Addresses as text: this machine's own, what a person types, and what a socket says of the other side. */
import { isIPv4, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { StreamletError } from "../../wire/errors";

export interface HostPort {
  /** A host name, an IPv4 address, or an IPv6 address without brackets. */
  host: string;
  /** 1 to 65535. */
  port: number;
}

/** RFC 1035 2.3.4: no host name is longer. */
const MAX_HOST_LENGTH = 253;
/** Digits, letters, hyphens and dots; an underscore occurs in names of local networks. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/i;
const MAX_PORT = 65535;
/** Ports below need privileges on Linux and macOS. */
const FIRST_UNPRIVILEGED_PORT = 1024;
/** An IPv6 customer gets at least a /64 (RFC 6177), so the first 4 of 8 groups stand for one party. */
const IPV6_PREFIX_GROUPS = 4;

/** `::ffff:192.0.2.1`, as a dual-stack socket shows an IPv4 peer, becomes `192.0.2.1`; a zone (`%eth0`) stays. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped ? mapped[1]! : address;
}

/** What counts as one party where counts are bounded per address: an IPv4 address, or the /64 of an IPv6 address. */
export function addressGroup(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  return `${expandIPv6(plain).slice(0, IPV6_PREFIX_GROUPS).join(":")}::/64`;
}

/** The eight groups of a valid IPv6 address, lower case, without leading zeros. */
function expandIPv6(address: string): string[] {
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const groupsOf = (text: string): string[] => {
    if (text === "") return [];
    return text.split(":").flatMap((group) => {
      if (!group.includes(".")) return [Number.parseInt(group, 16).toString(16)];
      const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
      return [(a * 256 + b).toString(16), (c * 256 + d).toString(16)];
    });
  };
  const left = groupsOf(head);
  if (tail === undefined) return left;
  const right = groupsOf(tail);
  return [...left, ...new Array<string>(8 - left.length - right.length).fill("0"), ...right];
}

/** `192.0.2.1:5000`, `host.example:5000`, `[2001:db8::1]:5000`. */
export function formatHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads what a person typed as an address of a peer: `host:port`, `[IPv6]:port`, or, with a default port, a bare host.
 * @throws StreamletError invalid-argument with a sentence that says what is wrong
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort {
  const trimmed = text.trim();
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(trimmed);
  let host: string;
  let portText: string | undefined;
  if (bracketed) {
    host = bracketed[1]!;
    portText = bracketed[2];
    if (!isIPv6(host)) throw invalid(text, "what stands in the brackets is no IPv6 address");
  } else if (isIPv6(trimmed)) {
    host = trimmed;
    if (defaultPort === undefined) throw invalid(text, "write an IPv6 address in brackets, as in [2001:db8::1]:5000");
  } else {
    const colon = trimmed.lastIndexOf(":");
    host = colon < 0 ? trimmed : trimmed.slice(0, colon);
    portText = colon < 0 ? undefined : trimmed.slice(colon + 1);
    if (host === "") throw invalid(text, "the host is missing");
    if (host.includes(":")) throw invalid(text, "write an IPv6 address in brackets, as in [2001:db8::1]:5000");
    if (!isHost(host)) throw invalid(text, "the host is neither a name nor an IP address");
  }
  if (portText === undefined) {
    if (defaultPort === undefined) throw invalid(text, "the port is missing, as in 192.168.1.20:5000");
    return { host, port: defaultPort };
  }
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > MAX_PORT) throw invalid(text, `the port must be a number from 1 to ${MAX_PORT}`);
  return { host, port };
}

function isHost(host: string): boolean {
  if (isIPv4(host)) return true;
  // Digits and dots alone are a mistyped IPv4 address, which some resolvers would read as another one.
  return host.length <= MAX_HOST_LENGTH && HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
}

function invalid(text: string, why: string): StreamletError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return new StreamletError("invalid-argument", `"${shown}" is not a usable address: ${why}.`);
}

/**
 * Addresses under which others on this machine's networks may reach it, IPv4 first. Without loopback, and without
 * link-local ones, which mean nothing without the name of the other side's network card.
 */
export function localAddresses(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces()): string[] {
  const found = Object.values(interfaces).flatMap((list) => list ?? []);
  const usable = found.filter((a) => !a.internal && !isLinkLocal(a.address));
  const ordered = [...usable.filter((a) => a.family === "IPv4"), ...usable.filter((a) => a.family === "IPv6")];
  return [...new Set(ordered.map((a) => a.address))];
}

function isLinkLocal(address: string): boolean {
  return /^169\.254\./.test(address) || /^fe[89ab]/i.test(address);
}

/**
 * A sentence about a port that is a poor choice on this system, or undefined. The profile form shows it; nothing refuses the port.
 * @param platform as `process.platform` has it
 */
export function portAdvice(port: number, platform: NodeJS.Platform = process.platform): string | undefined {
  if (platform === "darwin" && (port === 5000 || port === 7000)) {
    return `macOS uses port ${port} for AirPlay Receiver: turn that off in System Settings > General > AirDrop & Handoff, or take another port.`;
  }
  if (port > 0 && port < FIRST_UNPRIVILEGED_PORT && platform !== "win32") {
    return `Ports below ${FIRST_UNPRIVILEGED_PORT} need administrator rights: take a higher one.`;
  }
  if (port === 6000)
    return "Port 6000 is the tracker's default: take another one if a tracker runs on this machine too.";
  return undefined;
}
