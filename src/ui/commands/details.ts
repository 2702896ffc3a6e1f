/** Commands about one video, wherever it is listed. */
import { StreamletError } from "../../wire/errors";
import type { Handlers } from "./handlers";

type DetailsCommand = "streamlet.showDetails" | "streamlet.saveTorrentFile";

async function notBuilt(): Promise<void> {
  throw new StreamletError("internal", "This is not built yet.");
}

export const detailsCommands: Handlers<DetailsCommand> = {
  "streamlet.showDetails": notBuilt,
  "streamlet.saveTorrentFile": notBuilt,
};
