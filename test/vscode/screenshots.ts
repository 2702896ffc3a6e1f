// Pictures of every view, in light, dark and high contrast, wide and with a side bar of 300 pixels, into out/screenshots;
// those that the README shows into media/readme. `npm run screenshots` builds and runs it.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Program } from "../../tools/program.mjs";
import { makeClip } from "../helpers/makeClip";
import { randomFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { App, closeBrowser } from "./support/app";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

const README_PICTURES = resolve("media/readme");
/** The window follows the browser's colour scheme, which can change while a menu is open. */
const THEMES = {
  "window.autoDetectColorScheme": true,
  "window.autoDetectHighContrast": true,
  "workbench.preferredLightColorTheme": "Light 2026",
  "workbench.preferredDarkColorTheme": "Dark 2026",
};
/** Widths of the side bar. VS Code begins with 300. */
const WIDE_PX = 420;
const NARROW_PX = 300;
/** VS Code goes no further than 170. */
const NARROWEST_PX = 200;
const START_TIMEOUT_MS = 30_000;
/** It gives up on what does not answer after this. */
const DOCTOR_MS = 10_000;
/** Slow enough for a download to be seen under way in every picture. */
const SLOW_RATE = "400k";
/** Of a video that is watched meanwhile. */
const STREAMED_RATE = "100k";

const VIDEOS = [
  { title: "Login fails after token refresh", seconds: 12, width: 640, height: 360 },
  { title: "Demo: new onboarding", seconds: 20, width: 1280, height: 720 },
  { title: "Sprint 14 review", seconds: 8, width: 640, height: 360 },
  { title: "Dark mode, step by step", seconds: 10, width: 640, height: 360 },
  { title: "Release walkthrough", seconds: 180, width: 1280, height: 720 },
];

async function main(): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  try {
    const tracker = await startTracker();
    stops.push(() => tracker.program.stop());
    const clips = tempDir("clips");
    const seeds = async (peerId: string, files: { title: string; path: string }[], limit: string[]) => {
      for (const { title, path } of files) {
        const peer = ["--peer-id", peerId, "--data", tempDir(peerId), "--host", "127.0.0.1", "--port", "0"];
        const options = ["--name", title, "--tracker", tracker.address, ...limit];
        const program = new Program("streamlet", ["share", path, ...peer, ...options]);
        stops.push(() => program.stop());
        await program.event("shared", START_TIMEOUT_MS);
      }
    };
    const [first, second, third, fourth, streamed] = await Promise.all(
      VIDEOS.map(async ({ title, ...options }, i) => ({
        title,
        path: await makeClip(join(clips, `clip ${i}.mp4`), options),
      })),
    );
    const big = { title: "Conference talk, uncut", path: await randomFile(join(clips, "talk.mp4"), 60_000_000) };
    await seeds("Bob", [second!], []);
    await seeds("Carol", [big], ["--limit-up", SLOW_RATE]);
    await seeds("Dana", [streamed!], ["--limit-up", STREAMED_RATE]);

    const app = await App.start({ name: "alice", scale: 2, settings: THEMES });
    stops.push(() => app.stop());
    const folder = join(tempDir("workspace"), "demo");
    mkdirSync(folder);
    const window = await app.newWindow({ folder });
    const alice = new Streamlet(window);
    const inThemes = async (name: string, options: { readme?: string; prepare?: () => Promise<unknown> } = {}) => {
      for (const [theme, colorScheme, mark] of [
        ["light", "light", ".vs"],
        ["dark", "dark", ".vs-dark"],
        ["contrast", "dark", ".hc-black"],
      ] as const) {
        // What a browser says where the system is set to high contrast: VS Code follows it, as on the desktop.
        const forcedColors = theme === "contrast" ? "active" : "none";
        await window.page.emulateMedia({ colorScheme, forcedColors });
        await window.page.locator(`.monaco-workbench${mark}`).waitFor();
        await options.prepare?.();
        await settle();
        await window.screenshot(`${name}-${theme}`);
        if (options.readme && theme === "dark") {
          mkdirSync(README_PICTURES, { recursive: true });
          await window.page.screenshot({ path: join(README_PICTURES, options.readme) });
        }
      }
      await window.page.emulateMedia({ forcedColors: "none" });
      await window.page.locator(".monaco-workbench:not(.hc-black)").waitFor();
    };
    const resizeSidebar = async (width: number) => {
      await window.resizeSidebar(width);
      // Away from the edge, which lights up under the mouse.
      await window.page.mouse.move(900, 400);
    };
    /** Until nothing moves: VS Code fades things in. */
    const settle = () => window.page.waitForTimeout(600);

    await alice.open();
    await alice.videos.welcome().getByText("Create Profile").waitFor();
    await inThemes("welcome");

    await alice.videos.welcomeButton("Create Profile");
    const form = await alice.profileForm();
    await field(form, "Peer ID").fill("Alice");
    await inThemes("profile-form", { readme: "profile.png" });
    await field(form, "Peer ID").fill("Alice in Wonderland");
    await field(form, "Port").fill("99999");
    await inThemes("profile-form-problems");
    await field(form, "Peer ID").fill("Alice");
    await field(form, "Port").fill(String(await freePort()));
    await field(form, "Tracker 1").fill("127.0.0.1:9");
    await form.getByRole("button", { name: "Create Profile" }).click();
    await alice.untilRunning("Alice");
    await alice.network.welcome().getByText("Start a Tracker Here").waitFor();
    await inThemes("no-tracker");

    await window.command("Streamlet: Edit Profile...");
    const edit = await alice.profileForm();
    await field(edit, "Tracker 1").fill(tracker.address);
    await inThemes("edit-form");
    await edit.getByRole("button", { name: "Save" }).click();
    await alice.untilDescribed(alice.network, second!.title, /Bob/);

    await window.command("Streamlet: Upload Video...");
    await window.chooseFile(first!.path);
    const upload = await window.webview(".card");
    await field(upload, "Name").fill(first!.title);
    await inThemes("upload-form");
    await upload.getByRole("button", { name: "Upload", exact: true }).click();
    await alice.untilDescribed(alice.videos, first!.title, /On Network/);
    await alice.upload(third!.path, third!.title);
    await alice.untilDescribed(alice.videos, third!.title, /On Network/);
    await alice.videos.inlineAction(third!.title, "Stop Sharing");
    await alice.untilGone(alice.network, third!.title);
    await alice.network.inlineAction(second!.title, "Download");
    await alice.untilDescribed(alice.videos, second!.title, /^(?!.*downloading).*B/);
    await alice.network.inlineAction(big.title, "Download");
    await alice.untilDescribed(alice.videos, big.title, /downloading/);
    await inThemes("download-toast");
    await window.clearToasts();
    // The download goes on, and its toast would be in every picture.
    await window.command("Notifications: Toggle Do Not Disturb Mode");
    await resizeSidebar(WIDE_PX);
    await inThemes("views");
    await window.command("Streamlet: Upload Video...");
    await window.chooseFile(fourth!.path);
    const another = await window.webview(".card");
    await field(another, "Name").fill(fourth!.title);
    await inThemes("views-and-form", { readme: "overview.png" });
    await another.getByRole("button", { name: "Cancel" }).click();
    await resizeSidebar(NARROWEST_PX);
    await inThemes("views-narrowest");
    await resizeSidebar(NARROW_PX);
    await inThemes("views-narrow");

    await inThemes("tooltip", { prepare: () => alice.videos.tooltip(second!.title) });
    await alice.videos.openMenu(first!.title);
    await inThemes("menu");
    await window.page.keyboard.press("Escape");
    await alice.network.inlineAction(big.title, "Show Details");
    await (await window.webview("main.details canvas")).getByText("Carol").first().waitFor();
    await inThemes("details", { readme: "details.png" });
    await window.command("View: Close All Editors");
    await alice.network.inlineAction(streamed!.title, "Play");
    const player = await window.webview("main.player video");
    await player.getByText(/from Dana/).waitFor();
    await window.page.mouse.move(900, 400);
    await until(
      () => player.locator("video").evaluate((video) => (video as unknown as { currentTime: number }).currentTime > 4),
      "it has played for a while",
      START_TIMEOUT_MS,
    );
    await player.locator("video").press("k");
    await inThemes("player", { readme: "player.png" });
    await window.command("View: Close All Editors");
    await alice.videos.inlineAction(streamed!.title, "Pause");
    await window.command("Streamlet: Edit Info...");
    await window.pick(first!.title);
    await window.webview("main form, main .field");
    await inThemes("edit-info");
    await window.command("View: Close All Editors");
    await window.command("Streamlet: Open Settings");
    await window.webview("main");
    await inThemes("settings");
    await window.command("View: Close All Editors");
    await window.command("Streamlet: Connection Doctor");
    await (await window.webview("main")).getByRole("button", { name: "Test Again" }).waitFor();
    await window.page.waitForTimeout(DOCTOR_MS);
    await inThemes("doctor");
    await window.command("View: Close All Editors");
    await window.command("Streamlet: Show First Steps");
    await inThemes("first-steps");
    await window.command("View: Close All Editors");
    await alice.videos.inlineAction(big.title, "Pause");
    await alice.untilDescribed(alice.videos, big.title, /paused/);
    await inThemes("paused");
    await window.command("Streamlet: Open Chat");
    await window.pick("Bob");
    const chat = await window.webview("main.chat");
    await chat.getByRole("textbox").fill("Thanks for the demo!\nMore like it at https://example.com/demos");
    await chat.getByRole("textbox").press("Enter");
    await chat.locator(".state", { hasText: "delivered" }).waitFor();
    await inThemes("chat");
    await window.command("Streamlet: Delete Profile...");
    await window.modal().waitFor();
    await inThemes("delete-question");
    await window.answerModal("Cancel");
  } finally {
    for (const stop of stops.reverse()) await stop();
    await closeBrowser();
  }
}

await main();
