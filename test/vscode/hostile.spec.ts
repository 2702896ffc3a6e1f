import assert from "node:assert/strict";
import type { Frame, Locator } from "playwright-core";
import { createIdentityKey, loadIdentity } from "../../src/peer/identity";
import { ControlConnection } from "../../src/peer/net/controlConnection";
import { Listener } from "../../src/peer/net/listener";
import { type BDict, type BValue, decode, encode } from "../../src/wire/bencode";
import { utf8Encode } from "../../src/wire/bytes";
import { RECORD_CONTEXT } from "../../src/wire/constants";
import { signBytes } from "../../src/wire/signature";
import { JPEG } from "../helpers/pictures";
import { makeIdentity, makeRecord, RawPeer, startTracker, stopAll, type TestIdentity } from "../tracker/support";
import { App } from "./support/app";
import { freePort, Streamlet } from "./support/streamlet";
import { until } from "./support/until";

/** Whoever asks for this host has followed or loaded something. */
const EVIL = "evil.example";
const MARKUP =
  `<img src="https://${EVIL}/i.png" onerror="alert(1)"> [x](command:workbench.action.quit) ` +
  `![p](https://${EVIL}/p.png) $(trash) **b** https://${EVIL}/a`;
const DESCRIPTION = [
  `<script>alert(1)</script><a href="command:workbench.action.quit">quit</a><svg onload="alert(1)"></svg>`,
  `[quit](command:workbench.action.quit) ![p](https://${EVIL}/d.png) $(flame) www.${EVIL} mallory@${EVIL}`,
  "# heading",
  "1. list",
  "> quote",
  "```code```",
].join("\n");
/** A picture whose header is in order, and whose content is none. */
const BROKEN = Buffer.from(JPEG);
BROKEN.fill(0x55, JPEG.length - 40, JPEG.length - 2);

/** Every character that hides, reorders or ends text; records that have one are signed here without our own cleaning. */
const UNSAFE: Record<string, string> = {
  "a right-to-left override": "safe\u202etxt.exe",
  "an isolate": "a\u2066b",
  "a zero-width space": "pay\u200bpal",
  "a control character": "a\u0007b",
  "an escape sequence": "a\u001b[31mred",
  "a line break in a title": "one\ntwo",
  "a byte order mark": "\ufeffx",
  "a tag": "x\u{e0041}",
  "a text of 1 MB": "x".repeat(1_000_000),
};

/** A signed record with a value that `signRecord` would clean or refuse. */
function rawRecord(owner: TestIdentity, seed: string, change: Record<string, BValue>): Uint8Array {
  const envelope = decode(makeRecord(owner, seed, { ownerName: "Mallory" })) as BDict;
  const body = decode(envelope.get("record") as Uint8Array) as BDict;
  for (const [key, value] of Object.entries(change)) body.set(key, value);
  const sorted = encode(new Map([...body].sort(([a], [b]) => (a < b ? -1 : 1))));
  return encode(
    new Map<string, BValue>([
      ["record", sorted],
      ["signature", signBytes(owner.privateKey, RECORD_CONTEXT, sorted)],
    ]),
  );
}

describe("hostile peers, in the real VS Code", function () {
  this.timeout(120_000);
  const titles = { markup: MARKUP, broken: "Broken picture", polyglot: "Polyglot picture" };
  let app: App;
  let alice: Streamlet;
  let mallory: RawPeer;
  let port: number;
  let listener: Listener;
  let controls: Promise<ControlConnection>[];
  const asked: string[] = [];
  const dialogs: string[] = [];

  before(async () => {
    ({ port } = await startTracker());
    mallory = await RawPeer.join({ port, peerId: "Mallory" });
    const record = (seed: string, change: Parameters<typeof makeRecord>[2]) =>
      makeRecord(mallory.identity, seed, { ownerName: "Mallory", ...change });
    const results = await mallory.publish(
      record("markup", { title: titles.markup, description: DESCRIPTION, container: "<b>x</b>", codecs: "$(trash)" }),
      record("broken", { title: titles.broken, thumbnail: BROKEN }),
      record("polyglot", {
        title: titles.polyglot,
        thumbnail: Buffer.concat([JPEG.subarray(0, 3), Buffer.from(`<svg onload="alert(1)"/>`)]),
      }),
    );
    assert.deepEqual(
      results.map(({ error }) => error),
      [undefined, undefined, undefined],
      "all of this is text and bytes that the protocol allows",
    );
    app = await App.start({ name: "alice" });
    const window = await app.newWindow({ width: 1_280, height: 1_000 });
    window.page.on("request", (request) => asked.push(request.url()));
    window.page.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      void dialog.dismiss();
    });
    alice = new Streamlet(window);
    await alice.open();
    await alice.createProfile({ peerId: "Alice", port: await freePort(), tracker: `127.0.0.1:${port}` });
  });

  after(async () => {
    await app?.stop();
    for (const control of controls ?? []) (await control.catch(() => undefined))?.close();
    await listener?.close();
    await stopAll();
  });

  afterEach(async () => {
    assert.deepEqual(dialogs, []);
    assert.equal(await alice.window.modal().count(), 0);
    assert.deepEqual(
      asked.filter((url) => url.includes(EVIL)),
      [],
      "nothing of a stranger's was loaded or opened",
    );
  });

  /** Nothing but text came of the text. */
  async function isText(where: Locator): Promise<void> {
    for (const made of [
      "a[href], a[data-href]",
      "img",
      "script",
      "svg:not(.icon)",
      "h1, h2, h3",
      "li",
      "blockquote",
      "pre",
      ".codicon-trash",
      ".codicon-flame",
    ]) {
      assert.equal(await where.locator(made).count(), 0, made);
    }
  }

  const tidy = (text: string) => text.replace(/[\s\u00a0]+/g, " ").trim();

  it("show markup as text in the tree, and in its words for screen readers", async () => {
    const rows = await alice.network.untilRows((all) => all.length === 3, "all of Mallory's");
    assert.deepEqual(rows.map((row) => tidy(row.label)).sort(), Object.values(titles).map(tidy).sort());
    const row = alice.network.pane.locator(".monaco-list-row", { hasText: "onerror" });
    await isText(row.locator(".monaco-icon-label-container"));
    assert.ok((await row.getAttribute("aria-label"))?.includes("<img src="));
  });

  it("show markup as text in tooltips, and no picture that is none", async () => {
    const { page } = alice.window;
    const hover = page.locator(".monaco-hover:visible, .workbench-hover:visible").first();
    await page.mouse.move(0, 0);
    await alice.network.pane.locator(".monaco-list-row", { hasText: "onerror" }).locator(".label-name").hover();
    await hover.getByText("# heading").waitFor();
    const text = tidy((await hover.textContent()) ?? "");
    for (const part of [
      "[x](command:workbench.action.quit)",
      "$(trash)",
      `https://${EVIL}/a`,
      "<script>alert(1)</script>",
    ]) {
      assert.ok(text.includes(part), part);
    }
    await isText(hover);
    assert.match(await alice.network.tooltip(titles.polyglot), /Mallory/);
    assert.equal(await hover.locator("img").count(), 0);
  });

  it("show markup as text in quick picks", async () => {
    const { window } = alice;
    await window.page.mouse.move(900, 500);
    await window.command("Streamlet: Download");
    const row = window.quickRows().filter({ hasText: "onerror" });
    await row.waitFor();
    const text = ((await row.locator(".label-name").textContent()) ?? "").replaceAll("\u200b", "");
    assert.ok(tidy(text).includes(tidy(MARKUP)));
    await isText(row);
    await window.page.keyboard.press("Escape");
  });

  const details = async (title: string): Promise<Frame> => {
    await alice.network.pane.locator(".monaco-list-row", { hasText: title }).click({ button: "right" });
    await alice.window.pickMenu("Show Details");
    return until(async () => {
      const page = await alice.window.webview("main.details");
      return ((await page.locator("h1").textContent()) ?? "").includes(title) && page;
    }, `details of ${title}`);
  };

  it("show markup as text in the details, and a placeholder for a picture that cannot be drawn", async () => {
    const page = await details("onerror");
    assert.equal(await page.locator("h1").textContent(), MARKUP);
    assert.equal(await page.locator(".description").textContent(), DESCRIPTION);
    await isText(page.locator("h1"));
    await isText(page.locator(".description"));
    await page.getByText("<b>x</b>, $(trash)").waitFor();
    await isText(page.locator(".facts"));
    assert.equal(await page.locator("main script").count(), 0);
    const tabs = alice.window.page.locator(".tabs-container .tab");
    assert.equal(await tabs.locator(".codicon-trash").count(), 0);

    for (const title of [titles.polyglot, titles.broken]) {
      const other = await details(title);
      await other.getByText("No preview").waitFor();
      await until(async () => (await other.locator(".picture img").count()) === 0, `no picture of ${title}`);
    }
    await alice.window.command("View: Close All Editors");
  });

  it("show markup as text in toasts", async () => {
    const { window } = alice;
    await alice.network.pane.locator(".monaco-list-row", { hasText: "onerror" }).click({ button: "right" });
    await window.pickMenu("Download");
    const toast = window.toast("onerror").first();
    await toast.waitFor();
    await isText(toast.locator(".notification-list-item-message"));
    await toast.locator(".monaco-button", { hasText: "Cancel" }).click();
    await until(async () => (await window.toast("onerror").count()) === 0, "it is cancelled");
  });

  it("do not get text through a tracker that hides, reorders or floods", async () => {
    for (const [what, text] of Object.entries(UNSAFE)) {
      const eve = await RawPeer.join({ port, peerId: "Eve", identity: makeIdentity() }).catch(() => undefined);
      if (!eve) continue;
      const outcome = await eve
        .publish(rawRecord(eve.identity, what, { title: utf8Encode(text), "owner name": utf8Encode("Eve") }))
        .catch((error: Error) => error.message);
      const refused = typeof outcome === "string" ? "closed" : outcome[0]?.error?.code;
      assert.ok(refused, what);
      eve.terminate();
    }
    const svg = rawRecord(mallory.identity, "svg", { thumbnail: utf8Encode(`<svg onload="alert(1)"></svg>`) });
    assert.equal((await mallory.publish(svg))[0]?.error?.code, "bad-record");
    await alice.network.titleAction("Refresh");
    assert.equal((await alice.network.rows()).length, 3);
  });

  it("do not get it into the list from a connection of their own either, nor a name that is none", async () => {
    const identity = await loadIdentity((await createIdentityKey()).privateKey);
    const owner: TestIdentity = identity;
    const records = [
      ...Object.entries(UNSAFE).flatMap(([what, text]) =>
        text.length > 10_000 ? [] : [rawRecord(owner, what, { title: utf8Encode(text) })],
      ),
      rawRecord(owner, "svg", { thumbnail: utf8Encode("<svg/>") }),
      rawRecord(owner, "name", { "owner name": utf8Encode("[x](command:workbench.action.quit)") }),
      rawRecord(owner, "path", { "file name": utf8Encode("../../.bashrc") }),
      makeRecord(owner, "good", { title: "The only honest one", ownerName: "Mallory2" }),
    ];
    let peerId = "[x](command:workbench.action.quit)";
    controls = [];
    listener = new Listener({
      identity,
      host: "127.0.0.1",
      onWire: (socket) => socket.destroy(),
      onPlain: (socket) => socket.destroy(),
      onControl: (socket, remote) => {
        const control = {
          hello: () => ({ peerId, port: 0 }),
          catalog: () => ({ records, total: records.length }),
        };
        controls.push(ControlConnection.accept(socket, remote, { identity, control }));
        controls.at(-1)?.catch(() => undefined);
      },
    });
    const address = `127.0.0.1:${await listener.listen()}`;
    const { window } = alice;
    const connect = async () => {
      await window.command("Streamlet: Connect Manually...");
      await window.pick("Type an address");
      await window.answer(address);
    };
    await connect();
    const toast = window.toast().first();
    await toast.waitFor();
    await isText(toast.locator(".notification-list-item-message"));
    assert.doesNotMatch((await toast.textContent()) ?? "", /command:/);
    await window.clearToasts();

    peerId = "Mallory2";
    await connect();
    await window.answerModal("Stay Connected");
    await alice.network.row("The only honest one").waitFor();
    const rows = await alice.network.rows();
    assert.deepEqual(rows.length, 4, JSON.stringify(rows.map((row) => row.label)));
  });

  it("cannot make a chat message more than text in a toast", async () => {
    const control = await controls.at(-1);
    assert.ok(control);
    control.sendChat({ type: "chat", id: "m1", text: MARKUP, sentAt: Date.now() });
    const toast = alice.window.toast("Mallory2").first();
    await toast.waitFor();
    await isText(toast.locator(".notification-list-item-message"));
  });
});
