/**
 * What the owning window keeps: the worker thread, the profiles, and which of them is to run. It is the only writer of
 * `globalState` and of the data folders. No dialogs here: the window whose user asked shows them.
 *
 * Rules: one change of profile or engine at a time (`exclusive`); `wanted` says that the active profile is to run, whatever
 * went wrong meanwhile; a VS Code that does not answer (a reloaded window whose old host lingers) makes the owner step down.
 */
import { rm } from "node:fs/promises";
import type { ManualConnection, Snapshot } from "../../peer/status";
import type { PeerConfig } from "../../rpc/peerService";
import type { ProfileSettings } from "../../rpc/profileSettings";
import type { HostState, Profile, ProfileFields, WindowService } from "../../rpc/window";
import { formatContact } from "../../wire/contact";
import { type ErrorInfo, StreamletError, toErrorInfo } from "../../wire/errors";
import { answeredWithin } from "./answeredWithin";
import { EngineKeeper } from "./engineKeeper";
import { type Forwarded, forwardedMethods } from "./forwarded";
import { profileFolder } from "./places";
import { ProfileKeys, type SecretStore } from "./profileKeys";
import { type KeyValueStore, ProfileStore } from "./profileStore";
import { setDataAside } from "./setAside";
import { type NativeSettings, SettingsSync } from "./settingsSync";
import { startingSnapshot, stoppedSnapshot } from "./snapshots";

export type Preferences = Pick<
  PeerConfig,
  | "downloadsDir"
  | "uploadLimit"
  | "downloadLimit"
  | "copyOnUpload"
  | "maxConnections"
  | "uploadSlots"
  | "diskQuota"
  | "ffmpegPath"
>;

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface OwnerOptions {
  store: KeyValueStore;
  secrets: SecretStore;
  /** `globalStorageUri`; each profile has a folder in it. */
  storagePath: string;
  workerFile: string;
  /** What the engine gets of the settings; `own` are those that the profile keeps. */
  preferences: (own: Partial<ProfileSettings>) => Preferences;
  settings: NativeSettings;
  /** The native settings could not be changed to those of the active profile. */
  onSettingsFailed(error: unknown): void;
  log: Log;
  inherited?: HostState;
  onDidChange(state: HostState): void;
  /** VS Code does not answer any more: this window can own nothing. */
  onMustStepDown(): void;
}

/** Answers of `globalState` come in milliseconds. */
const STATE_TIMEOUT_MS = 5_000;
/** How long an automatic start waits for the port and folder of a window that is just closing (VS Code grants it 5 s). */
const HANDOVER_MS = 12_000;

export class OwnerHost {
  readonly service: WindowService;
  private readonly profiles: ProfileStore;
  private readonly settings: SettingsSync;
  private readonly keys: ProfileKeys;
  private readonly engine: EngineKeeper;
  private current: Pick<HostState, "wanted" | "failure" | "snapshot" | "connections">;
  private tail: Promise<unknown> = Promise.resolve();
  private disposed = false;

  constructor(private readonly options: OwnerOptions) {
    const { inherited } = options;
    this.profiles = new ProfileStore(
      options.store,
      inherited && {
        version: inherited.profilesVersion,
        profiles: inherited.profiles,
        ...(inherited.activeId ? { activeId: inherited.activeId } : {}),
        ...(inherited.settingsOf ? { settingsOf: inherited.settingsOf } : {}),
      },
    );
    this.keys = new ProfileKeys(options.secrets, () => options.onMustStepDown());
    this.engine = new EngineKeeper({
      workerFile: options.workerFile,
      onDidChange: (snapshot) => this.onSnapshot(snapshot),
      onDidCrash: (error, isHopeless) => this.recover(error, isHopeless),
      onOutput: (line) => options.log.info(line),
    });
    this.settings = new SettingsSync({
      native: options.settings,
      profiles: this.profiles,
      onDidRemember: () => this.emit(),
      onDidFail: (error) => options.onSettingsFailed(error),
    });
    this.current = {
      wanted: inherited?.wanted ?? false,
      snapshot: stoppedSnapshot(),
      connections: inherited?.connections ?? [],
    };
    for (const entry of this.profiles.damaged)
      options.log.error(`A saved profile cannot be read: ${JSON.stringify(entry)}`);
    this.service = this.createService();
  }

  get state(): HostState {
    const { activeId, settingsOf } = this.profiles;
    return {
      profiles: [...this.profiles.profiles],
      profilesVersion: this.profiles.version,
      damagedProfiles: this.profiles.damaged.length,
      ...this.current,
      ...(activeId ? { activeId } : {}),
      ...(settingsOf ? { settingsOf } : {}),
    };
  }

  /** The native settings may have changed: the active profile keeps what a person has changed. */
  lookAtSettings(): void {
    this.settings.look();
  }

  /** Starts the active profile without anybody having asked, with patience for a window that is just closing. */
  async startAutomatically(): Promise<void> {
    const id = this.profiles.activeId;
    if (id) await this.exclusive(() => this.start(id, HANDOVER_MS));
  }

  /** Brings changed settings to the engine: limits at once, folders by a restart. */
  async applyPreferences({ restart }: { restart: boolean }): Promise<void> {
    this.lookAtSettings();
    await this.exclusive(async () => {
      const id = this.profiles.activeId;
      if (!id || !this.current.wanted || this.current.failure) return;
      const {
        uploadLimit = 0,
        downloadLimit = 0,
        maxConnections = 0,
        uploadSlots = 0,
        diskQuota = 0,
      } = this.options.preferences(this.profiles.find(id).settings ?? {});
      if (restart) await this.start(id, 0);
      else await this.engine.current?.setLimits({ uploadLimit, downloadLimit, maxConnections, uploadSlots, diskQuota });
    });
  }

  /** Says goodbye and ends the thread; `wanted` stays, so that another window goes on. */
  async dispose(): Promise<void> {
    this.disposed = true;
    this.settings.stop();
    await this.engine.dispose();
  }

  private createService(): WindowService {
    return {
      ...forwardedMethods((name, args) => this.forward(name, args)),
      prepareIdentity: () => this.prepareIdentity(),
      createProfile: (fields, token) => this.exclusive(() => this.createProfile(fields, token)),
      editProfile: (id, fields) => this.exclusive(() => this.editProfile(id, fields)),
      deleteProfile: (id) => this.exclusive(() => this.deleteProfile(id)),
      startProfile: (id) => this.exclusive(() => this.start(id, 0)),
      stopProfile: () => this.exclusive(() => this.stop()),
      resetData: (id) => this.exclusive(() => this.resetData(id)),
      renewIdentity: (id) => this.exclusive(() => this.renewIdentity(id)),
      changeSettings: (id, settings) => this.changeSettings(id, settings),
    };
  }

  // profiles

  private async prepareIdentity(): Promise<{ token: string; fingerprint: string }> {
    const identity = await this.engine.service.createIdentity();
    return { token: this.keys.hold(identity), fingerprint: identity.fingerprint };
  }

  private async createProfile(fields: ProfileFields, token: string): Promise<{ id: string }> {
    const identity = this.keys.held(token) ?? (await this.engine.service.createIdentity());
    const profile = await this.answered(this.profiles.add(fields, identity.fingerprint, Date.now()));
    try {
      await this.keys.store(profile.id, identity.privateKey);
    } catch (error) {
      await this.profiles.remove(profile.id);
      throw error;
    }
    this.keys.release(token);
    await this.stop();
    this.settings.look();
    this.emit();
    return { id: profile.id };
  }

  private async editProfile(id: string, fields: ProfileFields): Promise<void> {
    const before = this.profiles.find(id);
    const after = await this.answered(this.profiles.edit(id, fields));
    this.emit();
    const changed = JSON.stringify(fieldsOf(before)) !== JSON.stringify(fieldsOf(after));
    if (id === this.profiles.activeId && this.current.wanted && (changed || this.current.failure))
      await this.start(id, 0);
  }

  private async deleteProfile(id: string): Promise<void> {
    const profile = this.profiles.find(id);
    if (id === this.profiles.activeId) await this.stop();
    const privateKey = await this.keys.read(id);
    if (privateKey) await this.engine.service.deleteData(this.configOf(profile, privateKey));
    // Also what the engine does not know of, and the folder of a profile whose key is lost.
    await rm(this.folderOf(id), { recursive: true, force: true, maxRetries: 5 });
    await this.keys.delete(id);
    await this.answered(this.profiles.remove(id));
    this.settings.look();
    this.emit();
  }

  private async resetData(id: string): Promise<void> {
    this.profiles.find(id);
    const active = id === this.profiles.activeId;
    const wanted = this.current.wanted;
    if (active) await this.stop();
    const aside = await setDataAside(this.folderOf(id));
    this.options.log.info(`The data of a profile was set aside in ${aside}`);
    if (active && wanted) await this.start(id, 0);
  }

  private async renewIdentity(id: string): Promise<void> {
    this.profiles.find(id);
    const identity = await this.engine.service.createIdentity();
    await this.keys.store(id, identity.privateKey);
    await this.answered(this.profiles.edit(id, { fingerprint: identity.fingerprint }));
    this.emit();
    if (id === this.profiles.activeId && this.current.wanted) await this.start(id, 0);
  }

  /** Not in turn: a start may wait for seconds, and what is shown must not. */
  private async changeSettings(id: string, settings: Partial<ProfileSettings>): Promise<void> {
    await this.answered(this.settings.change(id, settings));
    if (id === this.profiles.activeId) void this.applyPreferences({ restart: false }).catch(() => undefined);
  }

  // running

  private async start(id: string, patienceMs: number): Promise<void> {
    const switched = id !== this.profiles.activeId;
    await this.answered(this.profiles.activate(id, Date.now()));
    this.settings.look();
    const profile = this.profiles.find(id);
    await this.engine.current?.stop().catch((error) => this.options.log.warn(String(error)));
    this.current = {
      wanted: true,
      snapshot: startingSnapshot(profile),
      connections: switched ? [] : this.current.connections.map((link) => ({ ...link, connected: false })),
    };
    this.emit();
    try {
      const privateKey = await this.keys.require(profile);
      await this.engine.start(this.configOf(profile, privateKey), patienceMs);
      this.options.log.info(`Profile ${profile.peerId} runs.`);
    } catch (error) {
      this.fail(toErrorInfo(error));
      throw error;
    }
  }

  private async stop(): Promise<void> {
    this.current = { ...this.current, wanted: false, connections: [], failure: undefined };
    await this.engine.current?.stop();
    this.current.snapshot = stoppedSnapshot();
    this.emit();
  }

  private fail(failure: ErrorInfo): void {
    this.options.log.error(`The profile does not start: ${failure.code}: ${failure.message}`);
    this.current = { ...this.current, failure, snapshot: stoppedSnapshot() };
    this.emit();
  }

  private onSnapshot(snapshot: Snapshot): void {
    if (!this.current.wanted || this.current.failure) return;
    const { connections: before } = this.current;
    // An engine that stops or starts says nothing of whom it will be connected to.
    const connections = snapshot.peer.state === "running" ? named(snapshot.manual, before) : before;
    this.current = { ...this.current, snapshot, connections };
    this.emit();
  }

  private recover(error: Error, isHopeless: boolean): void {
    this.options.log.error(`The peer stopped unexpectedly: ${error.stack ?? error.message}`);
    if (!this.current.wanted) return;
    const id = this.profiles.activeId;
    if (!id || isHopeless) this.fail({ code: "internal", message: error.message });
    else void this.exclusive(() => this.start(id, HANDOVER_MS)).catch(() => undefined);
  }

  private async forward(name: Forwarded, args: unknown[]): Promise<unknown> {
    const service = this.engine.current;
    if (!service || !this.current.wanted || this.current.failure) {
      throw new StreamletError("not-running", "No profile runs: start one first.");
    }
    const method = service[name] as (...args: unknown[]) => Promise<unknown>;
    return method(...args);
  }

  private configOf(profile: Profile, privateKey: string): PeerConfig {
    return {
      ...fieldsOf(profile),
      privateKey,
      dataDir: this.folderOf(profile.id),
      ...this.options.preferences(profile.settings ?? {}),
      // Whoever answers there now has to have the same key.
      connect: this.current.connections.map(formatContact),
    };
  }

  private folderOf(id: string): string {
    return profileFolder(this.options.storagePath, id);
  }

  private emit(): void {
    if (!this.disposed) this.options.onDidChange(this.state);
  }

  /** Runs one change after the other, whatever became of those before. */
  private exclusive<T>(change: () => Promise<T>): Promise<T> {
    const result = this.tail.then(change, change);
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Whatever VS Code is asked: silence makes this window step down. */
  private answered<T>(answer: Thenable<T>): Promise<T> {
    return answeredWithin(answer, STATE_TIMEOUT_MS, () => this.options.onMustStepDown());
  }
}

/** After a restart the engine knows keys, and names only of those who have answered. */
function named(links: readonly ManualConnection[], before: readonly ManualConnection[]): ManualConnection[] {
  return links.map((link) => {
    const known = before.find((other) => other.fingerprint === link.fingerprint);
    return link.peerId === "" && known ? { ...link, peerId: known.peerId } : link;
  });
}

function fieldsOf({ peerId, port, trackers }: ProfileFields): ProfileFields {
  return { peerId, port, trackers };
}
