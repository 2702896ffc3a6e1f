/** Toasts and dialogs. Titles and names come from other people, and a toast turns `[a](command:b)` into a link: not here. */
import { commands, type LogOutputChannel, l10n, window } from "vscode";
import { type ErrorCode, StreamletError, toErrorInfo } from "../wire/errors";
import type { Command } from "./contributions";
import { explain } from "./messages";

/** Where it helps to test what lies between people. */
const DOCTORS_CASES: readonly ErrorCode[] = [
  "connection-refused",
  "connection-timeout",
  "unreachable",
  "tracker-unreachable",
  "no-sources",
];

/** Text for a toast or a dialog in which nothing is a link. */
export function withoutLinks(text: string): string {
  return text.replaceAll("](", "] (");
}

/** Text for a quick pick or the status bar in which nothing is an icon. */
export function withoutIcons(text: string): string {
  return text.replaceAll("$(", "$\u200b(");
}

export interface Choice {
  title: string;
  run: () => unknown;
}

/** Says something in a toast; resolves when a choice was made and has run, or the toast was closed. */
export async function inform(message: string, ...choices: Choice[]): Promise<void> {
  await run(window.showInformationMessage(withoutLinks(message), ...titles(choices)), choices);
}

export async function warn(message: string, ...choices: Choice[]): Promise<void> {
  await run(window.showWarningMessage(withoutLinks(message), ...titles(choices)), choices);
}

export async function complain(message: string, ...choices: Choice[]): Promise<void> {
  await run(window.showErrorMessage(withoutLinks(message), ...titles(choices)), choices);
}

/** Asks before something that cannot be taken back; true when `action` was chosen. */
export async function confirm(question: string, detail: string, action: string): Promise<boolean> {
  const answer = await window.showWarningMessage(withoutLinks(question), { modal: true, detail }, action);
  return answer === action;
}

/** The action that was chosen of several; undefined: none. */
export async function ask(question: string, detail: string, ...actions: string[]): Promise<string | undefined> {
  return window.showInformationMessage(withoutLinks(question), { modal: true, detail }, ...actions);
}

/** Says what went wrong and writes it to the log; a cancelled action is silent. */
export async function report(log: LogOutputChannel, error: unknown, ...choices: Choice[]): Promise<void> {
  const info = toErrorInfo(error);
  if (info.code === "cancelled") return;
  log.error(`${info.code}: ${info.message}`);
  if (!(error instanceof StreamletError) && error instanceof Error && error.stack) log.error(error.stack);
  const showLog: Choice = { title: l10n.t("Show Log"), run: () => log.show() };
  const doctor: Choice = {
    title: l10n.t("Connection Doctor"),
    run: () => commands.executeCommand("streamlet.connectionDoctor" satisfies Command),
  };
  const remedies = DOCTORS_CASES.includes(info.code)
    ? [doctor]
    : info.code === "quota-exceeded"
      ? [openSettingsChoice()]
      : [];
  // A toast without a button shows one line only.
  await complain(explain(info), ...(choices.length > 0 ? choices : [...remedies, showLog]));
}

export function openSettingsChoice(): Choice {
  return {
    title: l10n.t("Open Settings"),
    run: () => commands.executeCommand("streamlet.openSettings" satisfies Command),
  };
}

function titles(choices: readonly Choice[]): string[] {
  return choices.map((choice) => choice.title);
}

async function run(answer: Thenable<string | undefined>, choices: readonly Choice[]): Promise<void> {
  const title = await answer;
  await choices.find((choice) => choice.title === title)?.run();
}
