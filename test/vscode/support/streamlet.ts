import { createServer } from "node:net";
import type { Frame, Locator } from "playwright-core";
import { Program } from "../../../tools/program.mjs";
import { tempDir } from "../../helpers/tempDir";
import type { TreeView } from "./treeView";
import { until } from "./until";
import type { Workbench } from "./workbench";

/** Processes of the project's own start in well under a second. */
const START_TIMEOUT_MS = 20_000;

/** A tracker as a process of its own, on a free port of 127.0.0.1. */
export async function startTracker(): Promise<{ address: string; program: Program }> {
  const data = tempDir("tracker");
  const free = ["--host", "127.0.0.1", "--port", "0", "--http-port", "0"];
  const program = new Program("streamlet-tracker", [...free, "--data", data]);
  const { port } = await program.event("ready", START_TIMEOUT_MS);
  return { address: `127.0.0.1:${port}`, program };
}

/** A port that nobody listens on right now, on any interface. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface ProfileText {
  peerId: string;
  port: number;
  tracker: string;
}

/** Streamlet's views in one window, in the words of the person who uses them. */
export class Streamlet {
  readonly videos: TreeView;
  readonly network: TreeView;
  readonly peers: TreeView;

  constructor(readonly window: Workbench) {
    this.videos = window.tree("My Videos");
    this.network = window.tree("Network");
    this.peers = window.tree("Peers");
  }

  /** Shows Streamlet's side bar. */
  async open(): Promise<void> {
    await this.window.openContainer("Streamlet");
  }

  /** Fills in the form that creates a profile, and waits until the profile runs. */
  async createProfile(profile: ProfileText): Promise<void> {
    await this.videos.welcomeButton("Create Profile");
    const form = await this.profileForm();
    await field(form, "Peer ID").fill(profile.peerId);
    await field(form, "Port").fill(String(profile.port));
    await field(form, "Tracker 1").fill(profile.tracker);
    await form.getByRole("button", { name: "Create Profile" }).click();
    await this.window.webviewGone("main h1");
    await this.untilRunning(profile.peerId);
  }

  /** The form that creates or edits a profile, once it is open. */
  profileForm(): Promise<Frame> {
    return this.window.webview("input[aria-describedby]");
  }

  /** Waits until the status bar shows the profile. */
  async untilRunning(peerId: string): Promise<void> {
    await this.window.statusItem(peerId).first().waitFor();
    await this.videos.untilRows((rows) => rows.some((row) => row.label === "Uploaded"), "the profile runs");
  }

  /** Uploads a file by command, file dialog and form, accepting what the form suggests but for the name. */
  async upload(path: string, title: string): Promise<void> {
    await this.window.command("Streamlet: Upload Video...");
    await this.window.chooseFile(path);
    const form = await this.window.webview(".card");
    await field(form, "Name").fill(title);
    await form.getByRole("button", { name: "Upload", exact: true }).click();
    await this.window.webviewGone(".card");
  }

  /** Waits until `view` shows a row `label` whose description satisfies `rule`, and returns the description. */
  async untilDescribed(view: TreeView, label: string, rule: RegExp, timeoutMs?: number): Promise<string> {
    const rows = await view.untilRows(
      (all) => all.some((row) => row.label === label && rule.test(row.description)),
      `${label} is described by ${rule}`,
      timeoutMs,
    );
    return rows.find((row) => row.label === label)?.description ?? "";
  }

  /** Waits until `view` shows no row `label`. */
  async untilGone(view: TreeView, label: string): Promise<void> {
    await until(async () => !(await view.rows()).some((row) => row.label === label), `${label} is gone`);
  }
}

/** A text field of a form, by its label. */
export function field(form: Frame, name: string): Locator {
  return form.getByRole("textbox", { name, exact: true });
}
