/** What the suites inside the extension host share: the extension's parts, and a profile that runs. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { extensions } from "vscode";
import type { HostState } from "../../../src/rpc/window";
import type { App } from "../../../src/ui/app";
import { type HostPhase, phaseOf } from "../../../src/ui/host/snapshots";

const EXTENSION_ID = "streamlet.streamlet";
const POLL_MS = 20;
const WAIT_MS = 30_000;

export async function app(): Promise<App> {
  const extension = extensions.getExtension<App | undefined>(EXTENSION_ID);
  const parts = await extension?.activate();
  assert.ok(parts, "the extension hands its parts to tests");
  return parts;
}

/** Waits for a state; the engine's states come at most four times a second. */
export async function until<T>(what: string, find: () => T | undefined | false): Promise<T> {
  for (const deadline = Date.now() + WAIT_MS; ; ) {
    const found = find();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export function untilPhase({ host }: App, phase: HostPhase): Promise<HostState> {
  return until(`phase ${phase}`, () => phaseOf(host.state) === phase && host.state);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Creates a profile without its form and starts it. Nobody listens at its tracker unless one is given. */
export async function runProfile(parts: App, peerId: string, tracker = "127.0.0.1:1"): Promise<string> {
  const { token } = await parts.service.prepareIdentity();
  const { id } = await parts.service.createProfile({ peerId, port: await freePort(), trackers: [tracker] }, token);
  await parts.service.startProfile(id);
  await untilPhase(parts, "running");
  return id;
}

export async function deleteProfiles(parts: App): Promise<void> {
  for (const { id } of parts.host.state?.profiles ?? []) await parts.service.deleteProfile(id);
  await untilPhase(parts, "noProfile");
}
