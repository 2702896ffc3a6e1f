/** Activation: builds, registers, hands over to be disposed; nothing else. */
import type { ExtensionContext } from "vscode";
import { buildApp } from "./ui/build";

let close: (() => Promise<void>) | undefined;

export function activate(context: ExtensionContext): void {
  close = buildApp(context);
}

/** VS Code grants 5 s: goodbye to trackers and peers, then the place of the owner is free for another window. */
export async function deactivate(): Promise<void> {
  await close?.();
}
