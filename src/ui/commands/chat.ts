/** The command that opens a conversation. */
import { StreamletError } from "../../wire/errors";
import type { Handlers } from "./handlers";

type ChatCommand = "streamlet.openChat";

async function notBuilt(): Promise<void> {
  throw new StreamletError("internal", "This is not built yet.");
}

export const chatCommands: Handlers<ChatCommand> = {
  "streamlet.openChat": notBuilt,
};
