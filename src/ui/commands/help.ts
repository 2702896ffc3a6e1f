/** Commands that help when something does not work, or at first. */
import { commands } from "vscode";
import type { App } from "../app";
import { WALKTHROUGH } from "../contributions";
import type { Handlers } from "./handlers";

type HelpCommand = "streamlet.connectionDoctor" | "streamlet.openWalkthrough";

export const helpCommands: Handlers<HelpCommand> = {
  "streamlet.connectionDoctor": openDoctor,
  "streamlet.openWalkthrough": openWalkthrough,
};

async function openDoctor(app: App): Promise<void> {
  const { showDoctorPanel } = await import("../panels/doctorPanel");
  showDoctorPanel(app);
}

async function openWalkthrough({ context }: App): Promise<void> {
  await commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#${WALKTHROUGH}`, false);
}
