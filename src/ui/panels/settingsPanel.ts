/** The Settings page: every native setting of Streamlet, live both ways. */
import * as vscode from "vscode";
import { PROFILE_SETTINGS, type ProfileSetting } from "../../rpc/profileSettings";
import { type SettingValue, sameValue, settingProblem } from "../../rpc/settingSchema";
import type {
  AppliedSettingMessage,
  FromSettingsPage,
  SettingControl,
  SettingItem,
  SettingsGroup,
  SettingsStrings,
  ShowSettingsMessage,
  ToSettingsPage,
} from "../../rpc/settingsPanel";
import type { HostState, Profile, WindowService } from "../../rpc/window";
import {
  defaultSetting,
  effectiveSetting,
  resetSetting,
  type SettingEntry,
  settingEntries,
  writeSetting,
  writtenSetting,
} from "../config";
import type { Command, Setting, Settings } from "../contributions";
import { formatBytes } from "../format";
import { PagePanel } from "./pagePanel";
import { trackerStrings } from "./profilePanel";

type Section = "general" | "limits" | "appearance";

interface Presentation {
  section: Section;
  label: string;
  unit?: string;
  picks?: "folder" | "file";
}

const BYTES_PER_GB = 1e9;

export class SettingsPanel implements vscode.Disposable {
  private page: PagePanel<ToSettingsPage, FromSettingsPage> | undefined;
  private state: HostState | undefined;
  /** What the page was sent last: nothing is sent twice. */
  private shown = "";
  /** Changes are written in the order in which they were made. */
  private writing: Promise<void> = Promise.resolve();
  private readonly subscription = vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("streamlet")) this.refresh();
  });

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly service: Pick<WindowService, "changeSettings">,
  ) {}

  /** Opens the page, or brings it to the front. */
  async show(): Promise<void> {
    const { FROM_SETTINGS_PAGE } = await import("./settingsMessages");
    if (this.page) return this.page.reveal();
    const strings = settingsStrings();
    const page: PagePanel<ToSettingsPage, FromSettingsPage> = new PagePanel({
      extensionUri: this.extensionUri,
      viewType: "streamlet.settings",
      title: strings.heading,
      page: "settingsPanel",
      schema: FROM_SETTINGS_PAGE,
      handlers: {
        ready: () => this.send(),
        set: ({ key, value }) => this.apply(key as Setting, () => this.write(key as Setting, value)),
        reset: ({ key }) => this.apply(key as Setting, () => this.reset(key as Setting)),
        choose: ({ key }) => void this.choose(key as Setting),
        openNative: () => void vscode.commands.executeCommand("streamlet.openNativeSettings" satisfies Command),
      },
    });
    page.onDidDispose(() => {
      this.page = undefined;
    });
    this.page = page;
  }

  get isVisible(): boolean {
    return this.page?.visible === true;
  }

  update(state: HostState): void {
    this.state = state;
    this.refresh();
  }

  dispose(): void {
    this.subscription.dispose();
    this.page?.dispose();
  }

  private refresh(): void {
    if (this.isVisible && JSON.stringify(this.message()) !== this.shown) this.send();
  }

  private send(): void {
    const message = this.message();
    this.shown = JSON.stringify(message);
    this.page?.send(message);
  }

  private message(): ShowSettingsMessage {
    return {
      type: "show",
      groups: settingsGroups(this.state),
      platform: process.platform,
      strings: settingsStrings(),
    };
  }

  /** What the profile keeps goes to the window that owns the peer, which writes it for all. */
  private async write(key: Setting, value: SettingValue): Promise<void> {
    const profile = activeProfileOf(this.state);
    if (profile && isKept(key)) await this.service.changeSettings(profile.id, { [key]: value });
    else await writeSetting(key, value as never);
  }

  private async reset(key: Setting): Promise<void> {
    if (isKept(key)) await this.write(key, defaultSetting(key));
    // Also what stands in settings.json and cannot be used.
    await resetSetting(key);
  }

  private apply(key: Setting, write: () => Promise<void>): void {
    this.writing = this.writing.then(async () => {
      const answer: AppliedSettingMessage = { type: "applied", key };
      try {
        await write();
      } catch (error) {
        answer.problem = vscode.l10n.t(
          "This could not be written into settings.json: {0}",
          error instanceof Error ? error.message : String(error),
        );
      }
      this.page?.send(answer);
      // The page has ignored what came before the answer.
      this.send();
    });
  }

  private async choose(key: Setting): Promise<void> {
    const { picks } = presentations()[key];
    if (!picks) return;
    const current = effectiveSetting(key, undefined) as string;
    const [chosen] =
      (await vscode.window.showOpenDialog({
        canSelectFiles: picks === "file",
        canSelectFolders: picks === "folder",
        openLabel: vscode.l10n.t("Choose"),
        ...(current.startsWith("/") || /^[a-z]:/i.test(current) ? { defaultUri: vscode.Uri.file(current) } : {}),
      })) ?? [];
    if (chosen) this.apply(key, () => this.write(key, chosen.fsPath));
  }
}

function settingsGroups(state: HostState | undefined): SettingsGroup[] {
  const { t } = vscode.l10n;
  const shown = presentations();
  const items = settingEntries().map(([key, entry]) => ({ key, item: settingItem(key, entry, shown[key], state) }));
  const section = (name: Section, title: string) => ({
    title,
    items: items.filter(({ key }) => shown[key].section === name).map(({ item }) => item),
  });
  const profile = activeProfileOf(state);
  return [
    { scope: t("For every profile"), sections: [section("general", t("General"))] },
    {
      scope: profile ? t("Of the profile {0}", profile.peerId) : t("Of the first profile that you create"),
      sections: [section("limits", t("Limits")), section("appearance", t("Appearance"))],
    },
  ];
}

function settingItem(
  key: Setting,
  entry: SettingEntry,
  presentation: Presentation,
  state: HostState | undefined,
): SettingItem {
  const value = effectiveSetting(key, activeProfileOf(state));
  const { type, minimum, maximum } = entry;
  const advice = adviceOn(key, entry, state);
  return {
    key,
    label: presentation.label,
    hint: plainText(entry.markdownDescription),
    control: controlOf(entry, presentation),
    schema: {
      type,
      default: entry.default,
      ...(minimum === undefined ? {} : { minimum }),
      ...(maximum === undefined ? {} : { maximum }),
      ...(entry.enum ? { enum: entry.enum } : {}),
    },
    value,
    changed: !sameValue(value, entry.default) || settingProblem(entry, writtenSetting(key)) !== undefined,
    ...(advice ? { advice } : {}),
  };
}

function controlOf(entry: SettingEntry, { unit, picks }: Presentation): SettingControl {
  if (entry.enum) {
    const { enumItemLabels = [], enumDescriptions = [] } = entry;
    const options = entry.enum.map((value, i) => ({
      value,
      label: enumItemLabels[i] ?? value,
      hint: enumDescriptions[i] ?? "",
    }));
    return { kind: "choice", options };
  }
  if (entry.type === "boolean") return { kind: "switch" };
  if (entry.type === "array") return { kind: "trackers" };
  if (entry.type === "string") return { kind: "path", picks: picks ?? "file" };
  return { kind: "number", unit: unit ?? "" };
}

function adviceOn(key: Setting, entry: SettingEntry, state: HostState | undefined): string | undefined {
  const { t } = vscode.l10n;
  if (settingProblem(entry, writtenSetting(key)) !== undefined) {
    return t("settings.json has a value that cannot be used; this one counts instead.");
  }
  const used = state?.snapshot.peer.obtainedBytes ?? 0;
  if (key !== "streamlet.limits.diskQuota") return undefined;
  return quotaAdvice(effectiveSetting(key, activeProfileOf(state)), used);
}

function activeProfileOf(state: HostState | undefined): Profile | undefined {
  return state?.profiles.find(({ id }) => id === state.activeId);
}

function isKept(key: Setting): key is ProfileSetting {
  return (PROFILE_SETTINGS as readonly Setting[]).includes(key);
}

/** What to say of a quota that is used up; undefined while there is room. @param quota GB, 0 = no limit; `used` bytes */
export function quotaAdvice(quota: number, used: number): string | undefined {
  const allowed = quota * BYTES_PER_GB;
  if (quota === 0 || used <= allowed) return undefined;
  return vscode.l10n.t(
    "Downloaded videos take {0}, and {1} are allowed. Nothing is deleted, but new downloads are refused: raise the quota, or remove downloaded videos together with their files.",
    formatBytes(used),
    formatBytes(allowed),
  );
}

/**
 * The description without its marks. What stands in italics at its end is for the Settings editor only: this page says it in
 * another way.
 */
function plainText(markdown: string): string {
  return markdown
    .replace(/ \*[^*]+\*$/, "")
    .replaceAll("**", "")
    .replaceAll("`", "");
}

function presentations(): Record<Setting, Presentation> {
  const { t } = vscode.l10n;
  const general = { section: "general" } as const;
  const limits = { section: "limits" } as const;
  const appearance = { section: "appearance" } as const;
  return {
    "streamlet.startOnLaunch": { ...general, label: t("Start when VS Code opens") },
    "streamlet.defaultTrackers": { ...general, label: t("Trackers of new profiles") },
    "streamlet.downloadsFolder": { ...general, label: t("Downloads folder"), picks: "folder" },
    "streamlet.library.copyOnUpload": { ...general, label: t("Copy videos that are uploaded") },
    "streamlet.ffmpegPath": { ...general, label: t("Path of ffmpeg"), picks: "file" },
    "streamlet.player.convert": { ...general, label: t("Convert videos that cannot be played") },
    "streamlet.limits.upload": { ...limits, label: t("Upload limit"), unit: t("kB/s") },
    "streamlet.limits.download": { ...limits, label: t("Download limit"), unit: t("kB/s") },
    "streamlet.limits.connections": { ...limits, label: t("Connections") },
    "streamlet.limits.uploadSlots": { ...limits, label: t("Upload slots") },
    "streamlet.limits.diskQuota": { ...limits, label: t("Disk quota for downloads"), unit: t("GB") },
    "streamlet.appearance.theme": { ...appearance, label: t("Theme") },
    "streamlet.appearance.format": { ...appearance, label: t("Display format") },
  } satisfies Record<keyof Settings, Presentation>;
}

function settingsStrings(): SettingsStrings {
  const { t } = vscode.l10n;
  return {
    ...trackerStrings(),
    heading: t("Streamlet Settings"),
    intro: t("Every change takes effect at once, in all windows."),
    openNative: t("Open in the Settings Editor"),
    choose: t("Choose..."),
    reset: t("Reset to the default: {0}"),
    saved: t("Saved."),
    notAbsolute: t("Type the whole path, from the root of the disk on, or choose it."),
    notANumber: t("Type a number."),
    notWhole: t("Type a whole number."),
    tooSmall: t("At least {0}."),
    tooLarge: t("At most {0}."),
    notUsable: t("This cannot be used."),
  };
}
