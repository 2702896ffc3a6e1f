/** How Streamlet's pages look: Settings decide, every open page follows. */
import { EventEmitter } from "vscode";
import type { Appearance } from "../../rpc/page";

const emitter = new EventEmitter<Appearance>();
let current: Appearance = { theme: "auto", format: "pc" };

export const onDidChangeAppearance = emitter.event;

export function appearance(): Appearance {
  return current;
}

export function setAppearance(next: Appearance): void {
  if (next.theme === current.theme && next.format === current.format) return;
  current = next;
  emitter.fire(next);
}
