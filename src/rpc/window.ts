/**
 * Contract between windows: the window that owns the peer serves it to every other window of the same installation.
 * The owner's own views use the same interface, so that a view never knows in which window it is.
 */
import type { ManualConnection, Snapshot } from "../peer/status";
import type { ErrorInfo } from "../wire/errors";
import type { PeerService } from "./peerService";
import type { ProfileSettings } from "./profileSettings";
import type { HostStateMessage } from "./stateStream";

/** Changes whenever an older window could misunderstand a newer one (the extension was updated while windows were open). */
export const WINDOW_PROTOCOL_VERSION = 3;

/** What is kept of a profile in `globalState`. Its private key is in SecretStorage, its library in its data folder. */
export interface Profile {
  /** 16 hex digits; names the data folder and the secret, never changes. */
  id: string;
  peerId: string;
  /** 1-65535 */
  port: number;
  trackers: string[];
  fingerprint: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  lastUsedAt: number;
  /** What it keeps of the settings; absent until it was active once. */
  settings?: Partial<ProfileSettings>;
}

export type ProfileFields = Pick<Profile, "peerId" | "port" | "trackers">;

/** Everything a window draws. */
export interface HostState {
  profiles: Profile[];
  /** Grows with every change of `profiles`; the newest one wins when a window takes over. */
  profilesVersion: number;
  /** Saved profiles that could not be read; they are kept as they are. */
  damagedProfiles: number;
  /** The profile that runs, or is to run, or was stopped last. */
  activeId?: string;
  /** The profile whose settings the native ones are; absent while they are being changed to those of the active one. */
  settingsOf?: string;
  /** It is to run: whoever takes over starts it again. */
  wanted: boolean;
  /** Why the active profile does not run although it is wanted. */
  failure?: ErrorInfo;
  snapshot: Snapshot;
  /** Connected by hand, as the engine said last: kept over restarts of the engine and other windows, until Stop Profile. */
  connections: ManualConnection[];
}

/** Methods of the engine that a window calls as they are. */
export type EngineMethods = Omit<
  PeerService,
  "createIdentity" | "start" | "stop" | "snapshot" | "deleteData" | "setLimits"
>;

export interface WindowService extends EngineMethods {
  /** A fresh key that waits in the owner until `createProfile` takes it; private keys do not cross windows. */
  prepareIdentity(): Promise<{ token: string; fingerprint: string }>;
  /** Saves the profile and makes it the active one, without starting it. Errors: name-taken, invalid-argument. */
  createProfile(fields: ProfileFields, identityToken: string): Promise<{ id: string }>;
  /** Saves, and restarts the peer when this profile is running and something changed. */
  editProfile(id: string, fields: ProfileFields): Promise<void>;
  /** Removes the profile, its key and its data folder. Errors: profile-missing. */
  deleteProfile(id: string): Promise<void>;
  /** Stops whichever runs and starts this one. Errors: those of `PeerService.start`, identity-missing. */
  startProfile(id: string): Promise<void>;
  stopProfile(): Promise<void>;
  /** Sets the library and resume data of a profile aside, within its folder; downloaded files stay. */
  resetData(id: string): Promise<void>;
  /** Gives a profile whose key is lost a new one; others see a new fingerprint. */
  renewIdentity(id: string): Promise<void>;
  /** Changes settings of this profile, and the native ones with them while it is the active one. Errors: profile-missing. */
  changeSettings(id: string, settings: Partial<ProfileSettings>): Promise<void>;
}

/** Sent by the owner, from the greeting on. It hears `StateRequests`. */
export interface WindowEvents {
  onDidChange(message: HostStateMessage): void;
}
