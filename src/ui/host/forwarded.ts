/** What any window may ask of the engine through the owner, which adds nothing to it. */
import type { EngineMethods } from "../../rpc/window";

const FORWARDED = [
  "upload",
  "inspectFile",
  "share",
  "unshare",
  "editInfo",
  "remove",
  "saveCopy",
  "cancelTask",
  "download",
  "pause",
  "resume",
  "recheck",
  "setVideoLimits",
  "cancel",
  "openStream",
  "closeStream",
  "canConvert",
  "allowConversion",
  "allowOrigin",
  "playback",
  "savePlayback",
  "link",
  "queryNetwork",
  "queryPeers",
  "connect",
  "disconnect",
  "refresh",
  "thumbnail",
  "details",
  "torrentFile",
  "mediaTools",
  "addFriend",
  "removeFriend",
  "block",
  "unblock",
  "sendChat",
  "chatHistory",
  "markChatRead",
  "deleteChat",
  "diagnose",
] as const satisfies readonly (keyof EngineMethods)[];

export type Forwarded = (typeof FORWARDED)[number];

/** Methods that hand on every call. */
export function forwardedMethods(
  forward: (name: Forwarded, args: unknown[]) => Promise<unknown>,
): Pick<EngineMethods, Forwarded> {
  const methods = FORWARDED.map((name) => [name, (...args: unknown[]) => forward(name, args)]);
  return Object.fromEntries(methods) as Pick<EngineMethods, Forwarded>;
}
