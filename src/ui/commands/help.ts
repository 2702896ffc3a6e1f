/** Commands that help when something does not work, or at first. */
import { StreamletError } from "../../wire/errors";
import type { Handlers } from "./handlers";

type HelpCommand = "streamlet.connectionDoctor" | "streamlet.openWalkthrough";

async function notBuilt(): Promise<void> {
  throw new StreamletError("internal", "This is not built yet.");
}

export const helpCommands: Handlers<HelpCommand> = {
  "streamlet.connectionDoctor": notBuilt,
  "streamlet.openWalkthrough": notBuilt,
};
