/** Opens Streamlet's forms without an engine behind them, and writes down what they answer. */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { showProfilePanel } from "../../../src/ui/panels/profilePanel";
import { showUploadPanel } from "../../../src/ui/panels/uploadPanel";
import {
  ANSWERS_FILE,
  type Answer,
  BUSY_PORT,
  BUSY_PORT_HINT,
  FINGERPRINT,
  FIRST_FILE,
  SECOND_FILE,
  TAKEN_NAME,
} from "./answers";

export function activate(context: vscode.ExtensionContext): void {
  const folder = context.globalStorageUri.fsPath;
  mkdirSync(folder, { recursive: true });

  const register = (form: Answer["form"], ask: () => Promise<unknown>) => {
    const run = async () => {
      const line: Answer = { form, answer: (await ask()) ?? null };
      appendFileSync(join(folder, ANSWERS_FILE), `${JSON.stringify(line)}\n`);
    };
    context.subscriptions.push(vscode.commands.registerCommand(`panels.${form}`, run));
  };
  const takenNames = [TAKEN_NAME];
  const validatePort = async (port: number) => (port === BUSY_PORT ? BUSY_PORT_HINT : undefined);

  register("create", () =>
    showProfilePanel(context, {
      mode: "create",
      initial: { peerId: "", port: 5000, trackers: ["localhost:6000"] },
      takenNames,
      validatePort,
    }),
  );
  register("edit", () =>
    showProfilePanel(context, {
      mode: "edit",
      initial: { peerId: "Alice", port: 5001, trackers: ["localhost:6000", "wss://tracker.example.org?token=x"] },
      fingerprint: FINGERPRINT,
      takenNames,
      validatePort,
    }),
  );
  // What needs ffmpeg or a real file is tested with the whole extension.
  const options = { friends: 2, canOptimise: false, inspect: async () => ({}) };
  register("uploadOne", () => showUploadPanel(context, [FIRST_FILE], options));
  register("uploadTwo", () => showUploadPanel(context, [FIRST_FILE, SECOND_FILE], options));
}
