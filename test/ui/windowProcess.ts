/**
 * A window's extension host as a process of its own, without VS Code: `PeerHost` over files instead of `globalState` and
 * SecretStorage. The parent sends `{id, method, args}` and gets `{id, result}` or `{id, error}`; states come as `{state}`.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WindowService } from "../../src/rpc/window";
import { PeerHost } from "../../src/ui/host/peerHost";
import { toErrorInfo } from "../../src/wire/errors";
import { defaultSettings } from "../helpers/defaultSettings";

export interface WindowRequest {
  id: number;
  method: string;
  args: unknown[];
}

/** Runs until the parent goes or says `dispose`. */
export function runWindow(folder: string, workerFile: string): void {
  const send = (message: object) => process.send?.(message);
  const log = (level: string) => (message: string) => send({ log: `${level} ${message}` });
  const stateFile = join(folder, "globalState.json");
  const settingsFile = join(folder, "settings.json");
  const secretFile = (name: string) => join(folder, "secrets", name);
  const defaults = defaultSettings();
  let hangs = false;
  const host = new PeerHost({
    store: {
      get: <T>(key: string) => (readJson(stateFile) as Record<string, T>)[key],
      update: async (key, value) => {
        if (hangs) await new Promise(() => undefined);
        writeJson(stateFile, { ...readJson(stateFile), [key]: value });
      },
    },
    secrets: {
      get: async (name) => {
        if (hangs) await new Promise(() => undefined);
        return readText(secretFile(name));
      },
      store: async (name, value) => {
        await mkdir(join(folder, "secrets"), { recursive: true });
        await writeFile(secretFile(name), value);
      },
      delete: (name) => rm(secretFile(name), { force: true }),
    },
    storagePath: join(folder, "storage"),
    workerFile,
    preferences: () => ({}),
    settings: {
      read: () => ({ ...defaults, ...readJson(settingsFile) }),
      usable: (settings) => settings,
      write: async (key, value) => writeJson(settingsFile, { ...readJson(settingsFile), [key]: value }),
    },
    onSettingsFailed: (error) => log("error")(String(error)),
    startOnLaunch: () => process.env.START_ON_LAUNCH !== "no",
    log: { info: log("info"), warn: log("warn"), error: log("error") },
    onDidChange: (state) => send({ state, owner: host.isOwner }),
    onDidFailToStart: (error) => send({ failedToStart: toErrorInfo(error) }),
    onOtherVersion: () => send({ otherVersion: true }),
  });

  process.on("message", async ({ id, method, args }: WindowRequest) => {
    try {
      if (method === "isOwner") return send({ id, result: host.isOwner });
      if (method === "hang") {
        hangs = true;
        return send({ id });
      }
      if (method === "dispose") {
        await host.dispose();
        send({ id });
        process.exit(0);
      }
      const service = host.service as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      send({ id, result: await service[method as keyof WindowService]!(...args) });
    } catch (error) {
      send({ id, error: toErrorInfo(error) });
    }
  });
  process.on("disconnect", () => process.exit(0));
  host.start();
}

/** Whole or not at all, as VS Code's own storage. */
function writeJson(file: string, value: object): void {
  writeFileSync(`${file}.new`, JSON.stringify(value));
  renameSync(`${file}.new`, file);
}

function readJson(file: string): object {
  const text = readText(file);
  return text ? (JSON.parse(text) as object) : {};
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
