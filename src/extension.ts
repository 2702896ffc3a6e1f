/** Activation: builds, registers, hands over to be disposed; nothing else. */
import { type ExtensionContext, ExtensionMode } from "vscode";
import type { App } from "./ui/app";
import { buildApp } from "./ui/build";

let close: (() => Promise<void>) | undefined;

/** Other extensions get nothing; the test suite that runs inside the extension host gets the parts. */
export function activate(context: ExtensionContext): App | undefined {
  const built = buildApp(context);
  close = built.close;
  return context.extensionMode === ExtensionMode.Test ? built.app : undefined;
}

/** VS Code grants 5 s: goodbye to trackers and peers, then the place of the owner is free for another window. */
export async function deactivate(): Promise<void> {
  await close?.();
}
