import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Frame, Locator } from "playwright-core";
import { keepSettings } from "../../tools/vscodeServer.mjs";
import {
  ANSWERS_FILE,
  type Answer,
  BUSY_PORT,
  BUSY_PORT_HINT,
  FINGERPRINT,
  FIRST_FILE,
  SECOND_FILE,
} from "./panels-extension/answers";
import { buildPanelsExtension } from "./panels-extension/build";
import { App } from "./support/app";
import { contrastOf } from "./support/contrast";
import { until } from "./support/until";
import type { Workbench } from "./support/workbench";

/** How much colours must differ from what is behind them: of text (WCAG 2.2, 1.4.3) and of signs (1.4.11). */
const MIN_TEXT_CONTRAST = 4.5;
const MIN_SIGN_CONTRAST = 3;
const THEMES = [
  "Dark 2026",
  "Light 2026",
  "Dark Modern",
  "Light Modern",
  "Default High Contrast",
  "Default High Contrast Light",
];

describe("the forms, in the real VS Code", function () {
  this.timeout(120_000);

  let app: App;
  let window: Workbench;
  const refused: string[] = [];
  let asked = 0;
  let answersSeen = 0;

  before(async () => {
    app = await App.start({ name: "panels", vsix: [await buildPanelsExtension()] });
    window = await app.newWindow();
    await commandsKnown();
    window.page.on("console", (message) => {
      if (/Content Security Policy/.test(message.text())) refused.push(message.text());
    });
  });

  after(() => app?.stop());

  afterEach(async () => {
    await closeAll();
    // A form that was closed has answered too, a moment later: that answer is not the next test's.
    await until(() => answers().length === asked, "every form has answered");
    answersSeen = asked;
  });

  /** A page that is about to go still has the focus, and keys that are pressed meanwhile are lost with it. */
  async function allClosed(): Promise<void> {
    await until(async () => (await window.tabs()).length === 0, "every tab is closed");
    await window.webviewGone("main h1");
  }

  /** A window is drawn before it knows its extensions, and an open command palette does not take their commands in. */
  async function commandsKnown(): Promise<void> {
    const known = async () => (await window.commandsMatching("Panels: ")).includes("Panels: Create");
    await until(known, "the commands are in the palette");
  }

  async function closeAll(): Promise<void> {
    await window.command("View: Close All Editors");
    await allClosed();
  }

  function answers(): Answer[] {
    const file = join(app.globalStorage("streamlet-test.panels"), ANSWERS_FILE);
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Answer);
  }

  /** The next answer of a form in this test. */
  async function nextAnswer(): Promise<Answer> {
    const answer = await until(() => answers()[answersSeen], "the form answers");
    answersSeen += 1;
    return answer;
  }

  /** The answer of the only form that is open: it closes itself with it. */
  async function lastAnswer(): Promise<Answer> {
    const answer = await nextAnswer();
    await window.webviewGone("main h1");
    return answer;
  }

  type Form = "Create" | "Edit" | "Upload One" | "Upload Two";

  async function ask(form: Form): Promise<void> {
    asked += 1;
    await window.command(`Panels: ${form}`);
  }

  async function open(form: Form): Promise<Frame> {
    await ask(form);
    const frame = await window.webview("main h1");
    await until(
      () => frame.evaluate("document.hasFocus() && document.activeElement?.tagName === 'INPUT'"),
      "has focus",
    );
    return frame;
  }

  const press = (...keys: string[]) =>
    keys.reduce((done, key) => done.then(() => window.page.keyboard.press(key)), Promise.resolve());
  const type = (text: string) => window.page.keyboard.type(text);
  const peerId = (frame: Frame) => frame.getByRole("textbox", { name: "Peer ID" });
  const port = (frame: Frame) => frame.getByRole("textbox", { name: "Port" });
  const tracker = (frame: Frame, number: number) => frame.getByRole("textbox", { name: `Tracker ${number}` });

  /** The text that a screen reader says after the field's name: its hint, or the reason why it cannot be used. */
  async function described(field: Locator): Promise<{ text: string; invalid: boolean }> {
    return field.evaluate((input) => ({
      text: input.ownerDocument.getElementById(input.getAttribute("aria-describedby") ?? "")?.textContent ?? "",
      invalid: input.getAttribute("aria-invalid") === "true",
    }));
  }

  async function assertReason(field: Locator, value: string, reason: RegExp): Promise<void> {
    await field.fill(value);
    const { text, invalid } = await described(field);
    assert.match(text, reason);
    assert.equal(invalid, true, `${JSON.stringify(value)} is invalid`);
  }

  describe("Create Profile", () => {
    it("takes what is typed, and Enter", async () => {
      const frame = await open("Create");
      await type("alice");
      assert.equal((await described(peerId(frame))).invalid, false);
      await press("Enter");
      assert.deepEqual(await lastAnswer(), {
        form: "create",
        answer: { peerId: "alice", port: 5000, trackers: ["localhost:6000"] },
      });
    });

    it("says the reason under each field as one types, and takes it back", async () => {
      const frame = await open("Create");
      assert.deepEqual(await described(peerId(frame)), {
        text: "The name that others see: 1 to 32 letters, digits, _ - .",
        invalid: false,
      });
      await assertReason(peerId(frame), "alice smith", /only letters/);
      await assertReason(peerId(frame), "x".repeat(33), /At most 32/);
      await assertReason(peerId(frame), "bob", /Another of your profiles/);
      await assertReason(port(frame), "0", /between 1 and 65535/);
      await assertReason(port(frame), "http", /whole number/);
      await assertReason(tracker(frame, 1), "http://a", /ws:\/\/ or wss:\/\//);
      await assertReason(tracker(frame, 1), "localhost", /Add the port/);
      await tracker(frame, 1).fill("localhost:6001");
      assert.deepEqual(await described(tracker(frame, 1)), { text: "", invalid: false });
    });

    it("tells a screen reader the reason once typing pauses", async () => {
      const frame = await open("Create");
      await peerId(frame).fill("a b");
      await frame.getByRole("status").filter({ hasText: "Use only letters" }).waitFor({ state: "attached" });
    });

    it("does not go on while a field is invalid, and goes to the first one", async () => {
      const frame = await open("Create");
      await port(frame).fill("70000");
      await press("Enter");
      assert.equal(await peerId(frame).evaluate((input) => input.ownerDocument.activeElement === input), true);
      assert.match((await described(peerId(frame))).text, /Type the name/);
      await type("alice");
      await press("Enter");
      assert.equal(await port(frame).evaluate((input) => input.ownerDocument.activeElement === input), true);
      // The text is selected: typing replaces it.
      await type("5001");
      await press("Enter");
      assert.deepEqual((await lastAnswer()).answer, { peerId: "alice", port: 5001, trackers: ["localhost:6000"] });
    });

    it("adds and removes trackers by keyboard alone", async () => {
      const frame = await open("Create");
      await type("alice");
      await press("Tab", "Tab", "Tab", "Enter");
      await tracker(frame, 2).waitFor();
      await type("wss://tracker.example.org?token=secret");
      // Past its remove button to Add.
      await press("Tab", "Tab", "Enter");
      await tracker(frame, 3).waitFor();
      await type("third:6000");
      await frame.getByRole("button", { name: "Remove Tracker 1" }).focus();
      await press("Enter");
      await until(async () => (await tracker(frame, 3).count()) === 0, "the first tracker is gone");
      await press("Enter");
      assert.deepEqual((await lastAnswer()).answer, {
        peerId: "alice",
        port: 5000,
        trackers: ["wss://tracker.example.org?token=secret", "third:6000"],
      });
    });

    it("warns about ports that may not work, and lets them pass", async () => {
      const frame = await open("Create");
      await type("alice");
      await port(frame).fill("80");
      assert.deepEqual(await described(port(frame)), {
        text: "Ports below 1024 often need administrator rights.",
        invalid: false,
      });
      await port(frame).fill(String(BUSY_PORT));
      await until(async () => (await described(port(frame))).text === BUSY_PORT_HINT, "the host's hint is shown");
      await press("Enter");
      assert.deepEqual((await lastAnswer()).answer, { peerId: "alice", port: BUSY_PORT, trackers: ["localhost:6000"] });
    });

    it("answers nothing after Escape, after Cancel, and when its tab is closed", async () => {
      await open("Create");
      await type("alice");
      await press("Escape");
      assert.deepEqual(await lastAnswer(), { form: "create", answer: null });

      const frame = await open("Create");
      await frame.getByRole("button", { name: "Cancel" }).click();
      assert.deepEqual(await lastAnswer(), { form: "create", answer: null });

      await open("Create");
      await window.command("View: Close Editor");
      assert.deepEqual(await lastAnswer(), { form: "create", answer: null });
    });

    it("keeps what was typed while another tab hides it", async () => {
      const frame = await open("Create");
      await type("ali");
      await frame.getByRole("button", { name: "Add Tracker" }).click();
      await type("other:1");
      await window.command("File: New Untitled Text File");
      await window.webviewGone("main h1");
      await window.command("View: Open Previous Editor in Group");
      const again = await window.webview("main h1");
      assert.equal(await peerId(again).inputValue(), "ali");
      assert.equal(await tracker(again, 2).inputValue(), "other:1");
    });

    it("asked for again, comes to the front and answers only once", async () => {
      const frame = await open("Create");
      await type("alice");
      await ask("Create");
      assert.deepEqual(await nextAnswer(), { form: "create", answer: null });
      assert.deepEqual(await window.tabs(), ["Create Profile"]);
      assert.equal(await peerId(frame).inputValue(), "alice");
      await peerId(frame).press("Enter");
      assert.equal(((await lastAnswer()).answer as { peerId: string }).peerId, "alice");
    });
  });

  describe("Edit Profile", () => {
    it("starts with the profile, shows its fingerprint and copies it", async () => {
      const frame = await open("Edit");
      assert.equal(await peerId(frame).inputValue(), "Alice");
      assert.equal(await port(frame).inputValue(), "5001");
      assert.equal(await tracker(frame, 2).inputValue(), "wss://tracker.example.org?token=x");
      assert.equal(await frame.locator("code").textContent(), FINGERPRINT);
      await frame.getByRole("button", { name: "Copy Fingerprint" }).click();
      await frame.getByRole("button", { name: "Copied" }).waitFor();
      assert.equal(await window.clipboard(), FINGERPRINT);
    });

    it("stands beside a form that creates one", async () => {
      await open("Create");
      await ask("Edit");
      await until(async () => (await window.tabs()).length === 2, "both forms are open");
      assert.deepEqual(await window.tabs(), ["Create Profile", "Edit Profile Alice"]);
      await window.webview("code");
    });
  });

  describe("Upload", () => {
    const DEFAULTS = { description: "", audience: "everyone", share: true };

    it("needs no more than Enter", async () => {
      await open("Upload One");
      await press("Enter");
      assert.deepEqual(await lastAnswer(), {
        form: "uploadOne",
        answer: [{ path: FIRST_FILE.path, title: "login bug", ...DEFAULTS }],
      });
    });

    it("shows the file's name and size, offers each audience, and says who friends are", async () => {
      const frame = await open("Upload One");
      assert.equal(await frame.getByText("login bug.mp4").count(), 1);
      assert.equal(await frame.getByText("48 MB").count(), 1);
      assert.deepEqual(await frame.getByRole("radio").allInnerTexts(), [
        "Everyone on my trackers",
        "Friends",
        "Public, any BitTorrent client",
      ]);
      await frame.getByText("Only people whose key you pinned (2).").waitFor();
    });

    it("takes name, description, audience and share by keyboard", async () => {
      const frame = await open("Upload One");
      await type("  The bug, shown ");
      await press("Tab");
      await type("First line");
      await press("Enter");
      await type("second line");
      await press("Tab", "ArrowDown", "ArrowDown", "Tab", "Space");
      await frame.getByRole("checkbox", { name: "Share now", checked: false }).waitFor();
      await press("Enter");
      const answer = {
        path: FIRST_FILE.path,
        title: "The bug, shown",
        description: "First line\nsecond line",
        audience: "public",
        share: false,
      };
      assert.deepEqual((await lastAnswer()).answer, [answer]);
    });

    it("refuses an empty or overlong name with the reason", async () => {
      const frame = await open("Upload One");
      const name = frame.getByRole("textbox", { name: "Name" });
      await assertReason(name, "x".repeat(201), /At most 200/);
      await assertReason(name, " ", /Type a name/);
      await press("Enter");
      await name.fill("again");
      await press("Enter");
      assert.equal(((await lastAnswer()).answer as { title: string }[])[0]?.title, "again");
    });

    it("takes more files while it is open, keeps what was typed, and answers for all of them at once", async () => {
      const frame = await open("Upload One");
      await type("mine");
      await ask("Upload Two");
      assert.deepEqual(await nextAnswer(), { form: "uploadTwo", answer: null });
      await frame.getByRole("heading", { name: "Upload 2 Videos" }).waitFor();
      assert.deepEqual(await window.tabs(), ["Upload Video"]);
      await frame.getByRole("button", { name: "Upload 2 Videos" }).click();
      assert.deepEqual(await lastAnswer(), {
        form: "uploadOne",
        answer: [
          { path: FIRST_FILE.path, title: "mine", ...DEFAULTS },
          { path: SECOND_FILE.path, title: "b", ...DEFAULTS },
        ],
      });
    });

    it("lets a file go again, also when the page is made anew", async () => {
      const frame = await open("Upload Two");
      await frame.getByRole("button", { name: "Do not upload login bug.mp4" }).click();
      await frame.getByRole("heading", { name: "Upload Video" }).waitFor();
      await frame.getByRole("textbox", { name: "Name" }).fill("other name");
      await window.command("File: New Untitled Text File");
      await window.webviewGone("main h1");
      await window.command("View: Open Previous Editor in Group");
      const again = await window.webview("main h1");
      await again.getByRole("textbox", { name: "Name" }).press("Enter");
      assert.deepEqual((await lastAnswer()).answer, [{ path: SECOND_FILE.path, title: "other name", ...DEFAULTS }]);
    });
  });

  describe("look", () => {
    after("no page has broken a rule of its content security policy", () => assert.deepEqual(refused, []));

    it("stands in one column where it is narrow", async () => {
      const frame = await open("Edit");
      const top = async (field: Locator) => (await field.boundingBox())?.y ?? Number.NaN;
      assert.equal(await top(peerId(frame)), await top(port(frame)));
      await window.page.setViewportSize({ width: 640, height: 800 });
      await until(async () => (await top(port(frame))) > (await top(peerId(frame))), "the port stands under the name");
      const overflow = await frame.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      assert.equal(overflow, 0, "nothing reaches beyond the edge");
      await window.screenshot("panels/narrow");
      await window.page.setViewportSize({ width: 1280, height: 800 });
    });

    for (const theme of THEMES) {
      it(`can be read in ${theme}`, async () => {
        keepSettings(app.server.userDir, { "workbench.colorTheme": theme });
        await window.reload();
        await commandsKnown();
        // VS Code may bring back tabs that were closed a moment before the reload.
        await closeAll();
        const frame = await open("Create");
        await until(() => frame.evaluate(`document.body.dataset.vscodeThemeId === ${JSON.stringify(theme)}`), theme);
        await peerId(frame).fill("no blanks");
        await port(frame).fill("80");
        const texts = [
          "h1",
          "p.intro",
          "label",
          "[data-kind=problem] span",
          "[data-kind=advice] span",
          "p.note",
          "input",
        ];
        const signs = ["[data-kind=problem] .icon", "[data-kind=advice] .icon"];
        for (const selector of [...texts, ...signs]) {
          const contrast = await contrastOf(frame.locator(selector).first());
          const needed = signs.includes(selector) ? MIN_SIGN_CONTRAST : MIN_TEXT_CONTRAST;
          assert.ok(contrast >= needed, `${selector} in ${theme}: ${contrast.toFixed(2)}`);
        }
        await window.screenshot(`panels/profile ${theme}`);
        await press("Escape");
        await allClosed();
        await open("Upload Two");
        await window.screenshot(`panels/upload ${theme}`);
      });
    }
  });
});
