import assert from "node:assert/strict";
import fc from "fast-check";
import { PROFILE_SETTINGS, type ProfileSetting, type ProfileSettings } from "../../src/rpc/profileSettings";
import { type KeyValueStore, ProfileStore, readProfiles } from "../../src/ui/host/profileStore";
import { decideSettings, SettingsSync } from "../../src/ui/host/settingsSync";
import { defaultSettings } from "../helpers/defaultSettings";

const DEFAULTS = defaultSettings();
const UP = "streamlet.limits.upload";
const THEME = "streamlet.appearance.theme";
const FINGERPRINT = "ab".repeat(32);

const turn = () => new Promise((resolve) => setImmediate(resolve));
async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await turn();
}

/** `globalState` of one installation. */
function memory(): KeyValueStore {
  const values = new Map<string, unknown>();
  return {
    get: <T>(key: string) => structuredClone(values.get(key)) as T | undefined,
    update: async (key, value) => {
      await turn();
      values.set(key, structuredClone(value));
    },
  };
}

/** settings.json and a window that owns the peer: a change is told by `look`, as the editor does, a moment later. */
class Editor {
  settings = { ...DEFAULTS };
  readonly written: [ProfileSetting, unknown][] = [];
  readonly failures: unknown[] = [];
  remembered = 0;
  fails = false;
  readonly profiles: ProfileStore;
  readonly sync: SettingsSync;

  constructor(
    readonly store: KeyValueStore = memory(),
    settings: Partial<ProfileSettings> = {},
  ) {
    this.settings = { ...DEFAULTS, ...settings };
    this.profiles = new ProfileStore(store);
    this.sync = new SettingsSync({
      profiles: this.profiles,
      native: {
        read: () => ({ ...this.settings }),
        usable: (kept) => kept,
        write: async (key, value) => {
          await turn();
          if (this.fails) throw new Error("settings.json has unsaved changes");
          this.settings[key] = value;
          this.written.push([key, value]);
          this.sync.look();
          await turn();
        },
      },
      onDidRemember: () => {
        this.remembered += 1;
      },
      onDidFail: (error) => this.failures.push(error),
    });
  }

  async add(peerId: string): Promise<string> {
    const { id } = await this.profiles.add({ peerId, port: 5000, trackers: ["localhost:6000"] }, FINGERPRINT, 1);
    this.sync.look();
    await settle();
    return id;
  }

  async activate(id: string): Promise<void> {
    await this.profiles.activate(id, 2);
    this.sync.look();
  }

  change(settings: Partial<ProfileSettings>): void {
    Object.assign(this.settings, settings);
    this.sync.look();
  }

  kept(id: string): Partial<ProfileSettings> {
    return this.profiles.find(id).settings ?? {};
  }
}

/** Two profiles with settings of their own; the second one is active. */
async function twoProfiles(): Promise<{ editor: Editor; alice: string; bob: string }> {
  const editor = new Editor();
  const alice = await editor.add("Alice");
  editor.change({ [UP]: 100, [THEME]: "dark" });
  await settle();
  const bob = await editor.add("Bob");
  editor.change({ [UP]: 200, [THEME]: "light" });
  await settle();
  return { editor, alice, bob };
}

describe("settings of profiles: the decision", () => {
  it("asks for nothing where both agree", () => {
    assert.deepEqual(decideSettings(DEFAULTS, DEFAULTS, { ...DEFAULTS, [UP]: 5 }), { remember: {}, write: {} });
  });

  it("remembers what the profile never had, and what a person has changed", () => {
    const { [THEME]: _, ...own } = DEFAULTS;
    const native = { ...DEFAULTS, [UP]: 7 };
    assert.deepEqual(decideSettings(own, native, DEFAULTS), { remember: { [UP]: 7, [THEME]: "auto" }, write: {} });
  });

  it("writes what is still as it was when the profile became active", () => {
    const own = { ...DEFAULTS, [UP]: 7 };
    assert.deepEqual(decideSettings(own, DEFAULTS, DEFAULTS), { remember: {}, write: { [UP]: 7 } });
  });

  it("never both remembers and writes a setting, and after both everything agrees", () => {
    const value = fc.record({ ...Object.fromEntries(PROFILE_SETTINGS.map((key) => [key, fc.nat(3)])) });
    const some = fc.record(Object.fromEntries(PROFILE_SETTINGS.map((key) => [key, fc.nat(3)])), { requiredKeys: [] });
    fc.assert(
      fc.property(some, value, value, (own, native, base) => {
        const decision = decideSettings(own as never, native as never, base as never);
        for (const key of Object.keys(decision.remember)) assert.ok(!(key in decision.write));
        assert.deepEqual({ ...own, ...decision.remember }, { ...native, ...decision.write });
      }),
    );
  });
});

describe("settings of profiles", () => {
  it("are the present ones where a profile never had any", async () => {
    const editor = new Editor(memory(), { [UP]: 300, [THEME]: "dark" });
    const id = await editor.add("Alice");
    assert.deepEqual(editor.kept(id), { ...DEFAULTS, [UP]: 300, [THEME]: "dark" });
    assert.deepEqual(editor.written, []);
  });

  it("come back with the profile, and none of one go to another", async () => {
    const editor = new Editor();
    const alice = await editor.add("Alice");
    editor.change({ [UP]: 100, [THEME]: "dark" });
    await settle();
    const bob = await editor.add("Bob");
    editor.change({ [UP]: 200 });
    editor.change({ [THEME]: "light" });
    await settle();
    await editor.activate(alice);
    await settle();
    assert.deepEqual([editor.settings[UP], editor.settings[THEME]], [100, "dark"]);
    await editor.activate(bob);
    await settle();
    assert.deepEqual([editor.settings[UP], editor.settings[THEME]], [200, "light"]);
    assert.deepEqual(editor.kept(alice), { ...DEFAULTS, [UP]: 100, [THEME]: "dark" });
    assert.deepEqual(editor.kept(bob), { ...DEFAULTS, [UP]: 200, [THEME]: "light" });
  });

  it("stay apart when profiles are switched faster than settings are written", async () => {
    const { editor, alice, bob } = await twoProfiles();
    for (let round = 0; round < 20; round++) {
      await editor.activate(round % 2 ? bob : alice);
      for (let i = 0; i < round % 7; i++) await turn();
    }
    await editor.activate(alice);
    await settle();
    assert.deepEqual(editor.settings, editor.kept(alice));
    assert.deepEqual(editor.kept(alice), { ...DEFAULTS, [UP]: 100, [THEME]: "dark" });
    assert.deepEqual(editor.kept(bob), { ...DEFAULTS, [UP]: 200, [THEME]: "light" });
  });

  it("take a change that comes while another profile's are being written", async () => {
    const { editor, alice, bob } = await twoProfiles();
    await editor.activate(alice);
    editor.change({ "streamlet.limits.diskQuota": 9 });
    await settle();
    assert.equal(editor.kept(alice)["streamlet.limits.diskQuota"], 9);
    assert.equal(editor.kept(bob)["streamlet.limits.diskQuota"], 0);
    assert.equal(editor.settings[UP], 100);
  });

  it("settle after a burst of changes: the last one is kept, and nothing is written back", async () => {
    const editor = new Editor();
    const id = await editor.add("Alice");
    const { remembered } = editor;
    for (let value = 1; value <= 500; value++) editor.change({ [UP]: value });
    await settle();
    assert.equal(editor.kept(id)[UP], 500);
    assert.deepEqual(editor.written, []);
    assert.ok(editor.remembered - remembered <= 3, `${editor.remembered - remembered} times`);
    await settle();
    assert.deepEqual(readProfiles(editor.store).profiles[0]?.settings, editor.kept(id));
  });

  it("changed from any window count at once, and settings.json follows", async () => {
    const editor = new Editor();
    const alice = await editor.add("Alice");
    for (let value = 1; value <= 50; value++) void editor.sync.change(alice, { [UP]: value });
    assert.equal(editor.kept(alice)[UP], 50);
    await settle();
    assert.equal(editor.settings[UP], 50);
    editor.change({ [UP]: 60 });
    await settle();
    assert.equal(editor.kept(alice)[UP], 60);
    await editor.sync.change(alice, { [UP]: 0 });
    await settle();
    assert.equal(editor.settings[UP], 0);
  });

  it("of a profile that is not active any more stay its own when they are changed", async () => {
    const editor = new Editor();
    const alice = await editor.add("Alice");
    const bob = await editor.add("Bob");
    await editor.sync.change(alice, { [UP]: 70 });
    await settle();
    assert.deepEqual([editor.kept(alice)[UP], editor.kept(bob)[UP], editor.settings[UP]], [70, 0, 0]);
    await editor.activate(alice);
    await settle();
    assert.equal(editor.settings[UP], 70);
  });

  it("follow what was changed while no window was open", async () => {
    const first = new Editor();
    const id = await first.add("Alice");
    first.change({ [UP]: 100 });
    await settle();
    const later = new Editor(first.store, { [UP]: 150 });
    later.sync.look();
    await settle();
    assert.equal(later.kept(id)[UP], 150);
    assert.deepEqual(later.written, []);
  });

  it("are those of the new profile, also when a switch was cut off in the middle", async () => {
    const first = new Editor();
    const alice = await first.add("Alice");
    first.change({ [UP]: 100, [THEME]: "dark" });
    await settle();
    const bob = await first.add("Bob");
    first.change({ [UP]: 200, [THEME]: "light" });
    await settle();
    first.sync.stop();
    await first.activate(alice);
    await settle();
    const later = new Editor(first.store, { [UP]: 100, [THEME]: "light" });
    later.sync.look();
    await settle();
    assert.deepEqual(later.settings, { ...DEFAULTS, [UP]: 100, [THEME]: "dark" });
    assert.deepEqual(later.kept(alice), { ...DEFAULTS, [UP]: 100, [THEME]: "dark" });
    assert.deepEqual(later.kept(bob), { ...DEFAULTS, [UP]: 200, [THEME]: "light" });
  });

  it("are kept where settings.json cannot be written, which is said once, and written when it can", async () => {
    const editor = new Editor();
    const alice = await editor.add("Alice");
    editor.change({ [UP]: 100 });
    await settle();
    await editor.add("Bob");
    editor.change({ [UP]: 200 });
    await settle();
    editor.fails = true;
    await editor.activate(alice);
    await settle();
    editor.sync.look();
    await settle();
    assert.equal(editor.failures.length, 1);
    assert.equal(editor.kept(alice)[UP], 100);
    editor.fails = false;
    editor.sync.look();
    await settle();
    assert.equal(editor.settings[UP], 100);
  });

  it("do not fight with a policy that sets a value of its own", async () => {
    const editor = new Editor();
    const alice = await editor.add("Alice");
    editor.change({ [UP]: 100 });
    await settle();
    await editor.add("Bob");
    Object.defineProperty(editor.settings, UP, { get: () => 50, set: () => undefined, enumerable: true });
    editor.sync.look();
    await settle();
    await editor.activate(alice);
    await settle();
    assert.equal(editor.written.length, 1);
  });

  it("that are damaged do not cost the profile, and what is left of them counts", () => {
    const profile = {
      id: "0123456789abcdef",
      peerId: "Alice",
      port: 5000,
      trackers: ["localhost:6000"],
      fingerprint: FINGERPRINT,
      createdAt: 1,
      lastUsedAt: 1,
    };
    const read = (settings: unknown) => {
      const store = {
        get: () => ({ version: 1, profiles: [{ ...profile, settings }] }) as never,
        update: async () => {},
      };
      const { profiles, damaged } = readProfiles(store);
      assert.equal(damaged.length, 0);
      return profiles[0]?.settings;
    };
    assert.equal(read(undefined), undefined);
    for (const nonsense of ["?", 5, null, []]) assert.deepEqual(read(nonsense), {});
    assert.deepEqual(read({ [UP]: 10, [THEME]: "neon", "streamlet.limits.connections": "many", other: 1 }), {
      [UP]: 10,
    });
  });
});
