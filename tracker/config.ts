import { networkInterfaces } from "node:os";
import { join } from "node:path";
import envPaths from "env-paths";
import { isLoopback } from "./rules";

/** Numbers of protocol.md: 6000 for peers, 6080 for people and their monitors. */
export const DEFAULT_PORT = 6000;
export const DEFAULT_HTTP_PORT = 6080;

/**
 * Where names are kept when `--data` does not say: a folder for each port, so that two trackers of one machine do not share
 * names. Undefined for port 0: whoever asks for any free port has a passing tracker, and nothing of it is kept.
 */
export function defaultDataFolder(port: number): string | undefined {
  return port === 0 ? undefined : join(envPaths("streamlet-tracker", { suffix: "" }).data, String(port));
}

/** Addresses under which others reach a tracker that listens on `host` (all interfaces when absent), without port. */
export function usableHosts(host: string | undefined): { network: string[]; local: string[] } {
  if (host !== undefined && !isWildcard(host)) {
    return isLoopback(host) ? { network: [], local: [host] } : { network: [host], local: [] };
  }
  const network: string[] = [];
  for (const interfaces of Object.values(networkInterfaces())) {
    for (const { address, family, internal } of interfaces ?? []) {
      // Link-local IPv6 addresses need a zone, which is another one on every machine.
      const linkLocal = family === "IPv6" && /^fe[89ab]/i.test(address);
      const heard = family === "IPv4" || host !== "0.0.0.0";
      if (!internal && !linkLocal && heard) network.push(address);
    }
  }
  // What people can type comes first.
  network.sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
  return { network, local: ["localhost"] };
}

/** An IPv6 address stands in brackets before its port. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "*";
}
