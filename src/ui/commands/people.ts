/** Commands about other people: friends, blocks, contacts. */
import { StreamletError } from "../../wire/errors";
import type { Handlers } from "./handlers";

type PeopleCommand =
  | "streamlet.addFriend"
  | "streamlet.addFriendByContact"
  | "streamlet.removeFriend"
  | "streamlet.blockPeer"
  | "streamlet.unblockPeer"
  | "streamlet.copyContact"
  | "streamlet.browseVideos";

async function notBuilt(): Promise<void> {
  throw new StreamletError("internal", "This is not built yet.");
}

export const peopleCommands: Handlers<PeopleCommand> = {
  "streamlet.addFriend": notBuilt,
  "streamlet.addFriendByContact": notBuilt,
  "streamlet.removeFriend": notBuilt,
  "streamlet.blockPeer": notBuilt,
  "streamlet.unblockPeer": notBuilt,
  "streamlet.copyContact": notBuilt,
  "streamlet.browseVideos": notBuilt,
};
