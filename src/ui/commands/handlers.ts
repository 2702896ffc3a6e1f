/** All commands in one table: a command without a handler does not compile, and each error is told in one way. */
import { commands, Disposable } from "vscode";
import type { App } from "../app";
import type { Command } from "../contributions";
import { COMMANDS } from "../contributions";
import { report } from "../notify";
import { chatCommands } from "./chat";
import { connectionCommands } from "./connections";
import { detailsCommands } from "./details";
import { filtersCommands } from "./filters";
import { helpCommands } from "./help";
import { libraryCommands } from "./library";
import { networkCommands } from "./network";
import { peopleCommands } from "./people";
import { playerCommands } from "./player";
import { profileCommands } from "./profile";
import { transferCommands } from "./transfers";

export type Handler = (app: App, args: unknown[]) => Promise<unknown>;
export type Handlers<C extends Command> = Record<C, Handler>;

const HANDLERS: Handlers<Command> = {
  ...profileCommands,
  ...libraryCommands,
  ...transferCommands,
  ...networkCommands,
  ...detailsCommands,
  ...playerCommands,
  ...filtersCommands,
  ...connectionCommands,
  ...peopleCommands,
  ...chatCommands,
  ...helpCommands,
};

export function registerCommands(app: App): Disposable {
  const registrations = COMMANDS.map((command) =>
    commands.registerCommand(command, async (...args: unknown[]) => {
      try {
        await HANDLERS[command](app, args);
        app.firstSteps.onCommand(command);
      } catch (error) {
        await report(app.log, error);
      }
    }),
  );
  return Disposable.from(...registrations);
}
