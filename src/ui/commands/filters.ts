/** Commands that narrow the Network view. */
import { StreamletError } from "../../wire/errors";
import type { Handlers } from "./handlers";

type FiltersCommand = "streamlet.filterNetwork" | "streamlet.clearFilters";

async function notBuilt(): Promise<void> {
  throw new StreamletError("internal", "This is not built yet.");
}

export const filtersCommands: Handlers<FiltersCommand> = {
  "streamlet.filterNetwork": notBuilt,
  "streamlet.clearFilters": notBuilt,
};
