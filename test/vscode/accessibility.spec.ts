import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import type { Frame } from "playwright-core";
import { App } from "./support/app";
import { violationsOf } from "./support/axe";
import { freePort, Streamlet } from "./support/streamlet";
import { until } from "./support/until";

/** As the list of themes shows them, with what a page's body says of them. The window begins with the last. */
const THEMES = [
  { label: "Light 2026", kind: "vscode-light" },
  { label: "Dark High Contrast", kind: "vscode-high-contrast" },
  { label: "Dark 2026", kind: "vscode-dark" },
];
const CLIP = resolve("test/fixtures/clip.mp4");
/** The choice between the file and smaller copies is there where ffmpeg is. */
const FORMS = spawnSync("ffmpeg", ["-version"]).status === 0 ? ["The file as it is"] : [];
const FOCUSABLE =
  "main :is(summary, input, textarea, select, button, vscode-button, vscode-checkbox, vscode-radio, [tabindex='0'])";
/** More stops than any form has. */
const MAX_STOPS = 40;

interface Page {
  name: string;
  /** Makes it show all that it can, problems too. */
  open(): Promise<Frame>;
  /** What Tab reaches, in this order: accessible names. */
  stops: string[];
}

describe("every page, for people who do not use a mouse or do not see the screen", function () {
  this.timeout(180_000);
  let app: App;
  let mine: Streamlet;

  before(async () => {
    app = await App.start({ name: "ines", settings: { "workbench.colorTheme": "Dark 2026" } });
    mine = new Streamlet(await app.newWindow());
    await mine.open();
    await mine.createProfile({ peerId: "Ines", port: await freePort(), tracker: "127.0.0.1:1" });
  });
  after(() => app?.stop());

  afterEach(async () => {
    await mine.window.command("View: Close All Editors");
    await mine.window.webviewGone("main h1");
  });

  /** Names of what Tab reaches from the top of the page until it leaves it or comes round. */
  async function tabStops(page: Frame): Promise<string[]> {
    await page.locator(FOCUSABLE).first().focus();
    const stops: string[] = [];
    for (let presses = 0; presses < MAX_STOPS; presses++) {
      const name = await page.evaluate<string | null>(NAME_OF_FOCUS);
      if (name === null || (name === stops[0] && stops.length > 1)) break;
      // A video has controls of its own, which the page sees as the video.
      if (name !== stops.at(-1)) stops.push(name);
      await mine.window.page.keyboard.press("Tab");
    }
    return stops;
  }

  const PAGES: Page[] = [
    {
      name: "Create Profile",
      async open() {
        await mine.window.command("Streamlet: Create Profile...");
        const page = await mine.window.webview("main h1");
        await page.getByRole("textbox", { name: "Peer ID" }).fill("no blanks");
        await page.getByRole("textbox", { name: "Port" }).fill("80");
        return page;
      },
      stops: ["Peer ID", "Port", "Tracker 1", "Add Tracker", "Copy Fingerprint", "Create Profile", "Cancel"],
    },
    {
      name: "Edit Profile",
      async open() {
        await mine.window.command("Streamlet: Edit Profile...");
        return mine.window.webview("main h1");
      },
      stops: ["Peer ID", "Port", "Tracker 1", "Add Tracker", "Copy Fingerprint", "Save", "Cancel"],
    },
    {
      name: "Upload",
      async open() {
        await mine.window.command("Streamlet: Upload Video...");
        await mine.window.chooseFile(CLIP);
        return mine.window.webview(".card");
      },
      stops: ["Name", "Description (optional)", ...FORMS, "Everyone on my trackers", "Share now", "Upload", "Cancel"],
    },
    {
      name: "Chat",
      async open() {
        await mine.window.command("Streamlet: Open Chat");
        await mine.window.pick("Enter a fingerprint");
        await mine.window.answer("ab".repeat(32));
        const page = await mine.window.webview("main.chat");
        await page.getByRole("textbox").fill("Are you there?");
        await page.getByRole("textbox").press("Enter");
        await page.locator(".message .state", { hasText: "waiting" }).waitFor();
        await page.locator("summary").click();
        return page;
      },
      stops: [
        "End-to-end encryptedFingerprint VOV2XK5…",
        "Add Friend",
        "Block",
        "Delete Conversation",
        "Messages",
        "Message to VOV2XK5",
        "Send",
      ],
    },
    {
      name: "Settings",
      async open() {
        await mine.window.command("Streamlet: Open Settings");
        const page = await mine.window.webview("[data-setting]");
        await page.getByRole("textbox", { name: "Upload limit" }).fill("100");
        await page.getByRole("button", { name: "Reset to the default: Upload limit" }).waitFor();
        await page.getByRole("textbox", { name: "Connections" }).fill("none");
        await page.getByText("Type a number.").waitFor();
        return page;
      },
      stops: [
        "Open in the Settings Editor",
        "Start when VS Code opens",
        "Tracker 1",
        "Add Tracker",
        "Downloads folder",
        "Choose... Downloads folder",
        "Copy videos that are uploaded",
        "Path of ffmpeg",
        "Choose... Path of ffmpeg",
        "Convert videos that cannot be played",
        "Upload limit",
        "Reset to the default: Upload limit",
        "Download limit",
        "Connections",
        "Upload slots",
        "Disk quota for downloads",
        "Theme",
        "Display format",
      ],
    },
    {
      name: "Connection Doctor",
      async open() {
        await mine.window.command("Streamlet: Connection Doctor");
        const page = await mine.window.webview(".finding");
        await page.getByRole("button", { name: "Test Again" }).waitFor();
        return page;
      },
      stops: ["Start a Tracker Here", "Test Again", "Copy Report"],
    },
    {
      name: "Details",
      async open() {
        await mine.upload(CLIP, "A clip");
        await mine.untilDescribed(mine.videos, "A clip", /waiting for a tracker/);
        await mine.videos.openMenu("A clip");
        await mine.window.pickMenu("Show Details");
        const page = await mine.window.webview(".source-table");
        await page.getByText("1 of 1 pieces here").waitFor();
        return page;
      },
      stops: ["Play", "Play in System Player", "Save to Device...", "Copy Link"],
    },
    {
      name: "Edit Info",
      async open() {
        await mine.videos.openMenu("A clip");
        await mine.window.pickMenu("Edit Info...");
        const page = await mine.window.webview("main h1");
        await page.getByRole("button", { name: "Choose Frame" }).waitFor();
        return page;
      },
      stops: ["Choose Frame", "Name", "Description (optional)", "Save", "Cancel"],
    },
    {
      name: "Player",
      async open() {
        await mine.videos.openMenu("A clip");
        await mine.window.pickMenu("Play");
        const page = await mine.window.webview("main.player video");
        await page.locator("video").press("k");
        return page;
      },
      stops: ["Video: A clip", "Speed", "Picture in Picture", "Copy Link at This Time", "System Player", "Details"],
    },
  ];

  it("axe really looks: a planted fault is found", async () => {
    const page = await PAGES[0]!.open();
    await page.evaluate("document.querySelector('main').append(document.createElement('input'))");
    assert.match((await violationsOf(page)).join("\n"), /label: Form elements must have labels/);
  });

  for (const { name, open, stops } of PAGES) {
    it(`${name}: nothing that axe knows is wrong, in any theme, and Tab goes through it in the order of the eye`, async () => {
      const page = await open();
      assert.deepEqual(await tabStops(page), stops);
      for (const { label, kind } of THEMES) {
        await mine.window.command("Preferences: Color Theme");
        await mine.window.answer(label);
        await until(() => page.evaluate(`document.body.classList.contains("${kind}")`), label);
        assert.deepEqual(await violationsOf(page), [], label);
      }
    });
  }
});

/** The label of what has the focus, as the page's controls give it; null where nothing of the page has it. */
const NAME_OF_FOCUS = `(() => {
  const node = document.activeElement;
  if (!node || node === document.body || !document.hasFocus()) return null;
  const label = node.labels?.[0]?.textContent;
  return (node.getAttribute("aria-label") ?? label ?? node.textContent ?? "").trim();
})()`;
