import assert from "node:assert/strict";
import type { Frame, Locator } from "playwright-core";
import { oneStory } from "../helpers/oneStory";
import { startPeer, stopSessions, type TestPeer } from "../helpers/sessions";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";
import type { Workbench } from "./support/workbench";

const HOSTILE =
  '<img src=x onerror="document.body.dataset.owned=1"><script>document.body.dataset.owned=1</script>' +
  "\n[click](command:workbench.action.quit) command:workbench.action.quit $(zap) **bold** vscode://vscode.git/x" +
  "\nhttps://example.com/a?b=c%26d\u202egnp.exe";

const VIDEO = `vscode://streamlet.streamlet/v/${"ab".repeat(32)}`;

/** The tests tell one story, each goes on where the one before has ended. */
describe("chat", function () {
  this.timeout(120_000);
  oneStory(this);
  let tracker: Awaited<ReturnType<typeof startTracker>>;
  let alice: App;
  let bob: App;
  let hers: Streamlet;
  let his: Streamlet;
  let carol: TestPeer;
  let carolsData: string;

  before(async () => {
    tracker = await startTracker();
    [alice, bob] = await Promise.all([App.start({ name: "alice" }), App.start({ name: "bob" })]);
    [hers, his] = (await Promise.all(
      [alice, bob].map(async (app) => {
        const person = new Streamlet(await app.newWindow());
        await person.open();
        return person;
      }),
    )) as [Streamlet, Streamlet];
    await hers.createProfile({ peerId: "Alice", port: await freePort(), tracker: tracker.address });
    await his.createProfile({ peerId: "Bob", port: await freePort(), tracker: tracker.address });
    carolsData = tempDir("carol");
    carol = await startPeer("Carol", { trackers: [tracker.address], dataDir: carolsData });
  });
  after(async () => {
    await stopSessions();
    await alice?.stop();
    await bob?.stop();
    await tracker?.program.stop();
  });

  /** Opens a conversation from the command palette. */
  async function openChat({ window }: Streamlet, name: string): Promise<Frame> {
    await window.command("Streamlet: Open Chat");
    await window.pick(name);
    return chatFrame(window, name);
  }
  const chatFrame = (window: Workbench, name: string) =>
    until(async () => {
      const frame = await window.webview("main.chat h1");
      return (await frame.locator("h1").innerText()).startsWith(name) ? frame : undefined;
    }, `the chat with ${name} is open`);
  /** A tab that takes the place of a closed one takes the focus as well, and closes a palette that is open by then. */
  async function closeTabs({ window }: Streamlet): Promise<void> {
    await window.command("View: Close All Editors");
    await until(async () => (await window.tabs()).length === 0, "all tabs are closed");
  }
  const composer = (frame: Frame, name: RegExp) => frame.getByRole("textbox", { name });
  const messages = (frame: Frame): Promise<string[]> => frame.locator(".message > .text").allInnerTexts();
  const untilMessages = (frame: Frame, texts: string[]) =>
    until(async () => JSON.stringify(await messages(frame)) === JSON.stringify(texts), `messages are ${texts}`);
  const badge = ({ window }: Streamlet): Locator =>
    window.page.locator('.activitybar .action-item:has(.action-label[aria-label^="Streamlet"]) .badge-content');

  it("goes both ways, with unread badge, toast and state of delivery", async () => {
    const frame = await openChat(hers, "Bob");
    assert.match(await frame.locator("header").innerText(), /online[\s\S]*End-to-end encrypted/);
    await composer(frame, /Message to Bob/).fill("Hello Bob\nhow are you?");
    await frame.getByRole("button", { name: "Send" }).click();
    await untilMessages(frame, ["Hello Bob\nhow are you?"]);
    await frame.locator(".state", { hasText: "delivered" }).waitFor();

    await until(async () => (await badge(his).innerText()) === "1", "Bob sees that one is unread");
    await his.window.answerToast(/Alice.*Hello Bob how are you\?/, "Open Chat");
    const bobs = await chatFrame(his.window, "Alice");
    await untilMessages(bobs, ["Hello Bob\nhow are you?"]);
    await until(async () => !(await badge(his).isVisible()), "nothing is unread");
    await composer(bobs, /Message to Alice/).fill("fine");
    await composer(bobs, /Message to Alice/).press("Enter");
    await untilMessages(frame, ["Hello Bob\nhow are you?", "fine"]);
    assert.equal(await hers.window.toast(/fine/).count(), 0, "what is on the screen needs no toast");
  });

  it("is the same in a second window of the same person, live", async () => {
    const second = new Streamlet(await alice.newWindow());
    await second.open();
    await second.untilRunning("Alice");
    const there = await openChat(second, "Bob");
    await untilMessages(there, ["Hello Bob\nhow are you?", "fine"]);
    await composer(there, /Message to Bob/).fill("from my other window");
    await composer(there, /Message to Bob/).press("Enter");
    await untilMessages(await chatFrame(hers.window, "Bob"), [
      "Hello Bob\nhow are you?",
      "fine",
      "from my other window",
    ]);
    await second.window.close();
  });

  it("is there after a reload, and a draft outlives a hidden tab", async () => {
    await hers.window.reload();
    await hers.open();
    await hers.untilRunning("Alice");
    const frame = await openChat(hers, "Bob");
    await untilMessages(frame, ["Hello Bob\nhow are you?", "fine", "from my other window"]);
    await composer(frame, /Message to Bob/).fill("half a thou");
    await hers.window.command("File: New Untitled Text File");
    await hers.window.webviewGone("main.chat");
    await hers.window.command("View: Close Editor");
    const again = await chatFrame(hers.window, "Bob");
    assert.equal(await composer(again, /Message to Bob/).inputValue(), "half a thou");
    await composer(again, /Message to Bob/).fill("");
  });

  it("shows hostile text as the text it is; only web pages and videos can be opened, after a question", async () => {
    const { fingerprint } = await alicesKey();
    await carol.session.sendChat(fingerprint, HOSTILE);
    await carol.session.sendChat(fingerprint, `watch ${VIDEO}`);
    await until(async () => (await badge(hers).innerText()) === "2", "two are unread");
    await hers.window
      .toast(/Carol \([A-Z2-7]{7}\)/)
      .first()
      .waitFor();
    assert.equal(await hers.window.toast().locator("a[href]").count(), 0);
    await hers.window.answerToast(/Carol/, "Open Chat");
    const frame = await chatFrame(hers.window, "Carol");
    await untilMessages(frame, [HOSTILE.replace("\u202e", ""), `watch ${VIDEO}`]);
    assert.equal(await frame.locator(".text *").count(), 0, "text has no elements in it");
    assert.equal(await frame.locator(".log a, .log img, .log script").count(), 0);
    assert.equal(await frame.evaluate("document.body.dataset.owned"), undefined);
    const buttons = await frame.locator(".links vscode-button").allInnerTexts();
    assert.deepEqual(
      buttons.map((text) => text.trim()),
      ["Open Link: example.com", "Open Video"],
    );
    await frame.getByRole("button", { name: "Open Link: example.com" }).click();
    await hers.window.modal().getByText("https://example.com/a?b=c%26dgnp.exe").waitFor();
    await hers.window.answerModal("Cancel");
    await frame.getByRole("button", { name: "Open Video" }).click();
    await hers.window.modal().getByText("Open the video of this link?").waitFor();
    await hers.window.answerModal("Cancel");
  });

  it("waits for somebody who is away, and is delivered when they are back", async () => {
    await carol.session.stop();
    const frame = await chatFrame(hers.window, "Carol");
    await frame.locator(".notice", { hasText: "Carol is offline: your message waits" }).waitFor();
    await composer(frame, /Message to Carol/).fill("for later");
    await composer(frame, /Message to Carol/).press("Enter");
    await frame.locator(".state", { hasText: "waiting" }).waitFor();
    carol = await startPeer("Carol", carol.config);
    await frame.locator(".message:last-child .state", { hasText: "delivered" }).waitFor();
    const { chats } = await carol.session.snapshot();
    const { messages: got } = await carol.session.chatHistory(chats[0]!.fingerprint, { limit: 1 });
    assert.equal(got[0]!.text, "for later");
    await frame.locator(".presence[data-online]").waitFor();
  });

  it("loads older messages on demand, and says that a message is too long", async () => {
    const { fingerprint } = await alicesKey();
    for (let n = 0; n < 60; n++) await carol.session.sendChat(fingerprint, `number ${n}`);
    const frame = await chatFrame(hers.window, "Carol");
    await frame.locator(".text", { hasText: "number 59" }).waitFor();
    await closeTabs(hers);
    const again = await openChat(hers, "Carol");
    await again.locator(".text", { hasText: "number 59" }).waitFor();
    assert.ok((await messages(again)).length <= 50);
    await again.getByRole("button", { name: "Show Older" }).waitFor({ state: "attached" });
    await again.locator(".log").press("Home");
    await again.locator(".text", { hasText: VIDEO }).waitFor({ state: "attached" });
    const box = composer(again, /Message to Carol/);
    await box.fill("x".repeat(8_001));
    await again.locator(".composer .note", { hasText: "8001 of 8000" }).waitFor();
    await box.press("Enter");
    assert.equal((await box.inputValue()).length, 8_001, "it is not sent");
    await box.fill("");
  });

  it("works with the keyboard alone", async () => {
    const { page } = hers.window;
    await closeTabs(hers);
    await page.keyboard.press("F1");
    await hers.window.quickInput().fill(">Streamlet: Open Chat");
    await page.keyboard.press("Enter");
    await hers.window.quickInput().fill("Bob");
    await until(async () => /Bob/.test(await hers.window.quickRows().first().innerText()), "Bob is found");
    await page.keyboard.press("Enter");
    const frame = await chatFrame(hers.window, "Bob");
    await until(() => frame.evaluate("document.activeElement?.tagName === 'TEXTAREA'"), "one can type at once");
    await page.keyboard.type("by keys");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("alone");
    await page.keyboard.press("Enter");
    await frame.locator(".text", { hasText: "by keys alone" }).waitFor();
    const order: string[] = [];
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press("Shift+Tab");
      order.push(
        String(await frame.evaluate("document.activeElement?.getAttribute('role') ?? document.activeElement?.tagName")),
      );
    }
    assert.deepEqual(order.slice(0, 2), ["log", "SUMMARY"]);
  });

  it("is blocked and deleted from its tab, after a question", async () => {
    const frame = await openChat(hers, "Carol");
    await frame.locator("summary").click();
    await frame.getByRole("button", { name: "Block" }).click();
    await hers.window.answerModal("Block");
    await frame.locator(".notice", { hasText: "You have blocked Carol" }).waitFor();
    assert.equal(await composer(frame, /Message/).count(), 0);
    await frame.getByRole("button", { name: "Delete Conversation" }).click();
    await hers.window.answerModal("Delete");
    await hers.window.webviewGone("main.chat");
    await hers.window.command("Streamlet: Open Chat");
    await hers.window.quickRows().filter({ hasText: "Bob" }).first().waitFor();
    assert.equal(await hers.window.quickRows().filter({ hasText: "Carol" }).count(), 0);
    await hers.window.page.keyboard.press("Escape");
  });

  async function alicesKey() {
    const { peers } = await carol.session.queryPeers({ limit: 10 });
    return peers.find(({ peerId }) => peerId === "Alice")!;
  }
});
