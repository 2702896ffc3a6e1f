import assert from "node:assert/strict";
import { resolve } from "node:path";
import { Program } from "../../tools/program.mjs";
import { oneStory } from "../helpers/oneStory";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import type { TreeRow } from "./support/treeView";
import { until } from "./support/until";

const CLIP = resolve("test/fixtures/clip.mp4");
const START_TIMEOUT_MS = 20_000;
const FINGERPRINT = /(?:[A-Z2-7]{7}-){7}[A-Z2-7]{7}/;

/** Of the status bar: a connection to Bob by hand. */
const LINK = /^\s*Bob$/;

/** The rows under a heading of the Peers view. */
function section(rows: TreeRow[], heading: string): TreeRow[] {
  const from = rows.findIndex((row) => row.level === 1 && row.label === heading);
  const rest = from < 0 ? [] : rows.slice(from + 1);
  const to = rest.findIndex((row) => row.level === 1);
  return to < 0 ? rest : rest.slice(0, to);
}

/** The tests tell one story, each goes on where the one before has ended. */
describe("people: friends, impostors, blocks, connections by hand", function () {
  this.timeout(120_000);
  oneStory(this);

  let first: Awaited<ReturnType<typeof startTracker>>;
  let second: Awaited<ReturnType<typeof startTracker>>;
  const programs: Program[] = [];
  let alice: App;
  let bob: App;
  let hers: Streamlet;
  let his: Streamlet;
  let bobsPort: number;

  /** Somebody with the command line, who shares a clip until the end. */
  async function neighbour(peerId: string, title: string, tracker: string): Promise<void> {
    const where = ["--data", tempDir(peerId), "--host", "127.0.0.1", "--port", "0", "--tracker", tracker];
    const program = new Program("streamlet", ["share", CLIP, "--name", title, "--peer-id", peerId, ...where]);
    programs.push(program);
    await program.event("shared", START_TIMEOUT_MS);
  }
  const under = (heading: string, fits: (rows: TreeRow[]) => boolean, what: string, person = hers) =>
    person.peers.untilRows((rows) => fits(section(rows, heading)), what).then((rows) => section(rows, heading));
  const described = (heading: string, label: string, rule: RegExp, person = hers) =>
    under(
      heading,
      (rows) => rows.some((row) => row.label === label && rule.test(row.description)),
      `${label} is ${rule} in ${heading}`,
      person,
    );

  before(async () => {
    [first, second] = await Promise.all([startTracker(), startTracker()]);
    bobsPort = await freePort();
    const trackers = [first.address, second.address];
    alice = await App.start({ name: "alice", settings: { "streamlet.defaultTrackers": trackers } });
    bob = await App.start({ name: "bob" });
    hers = new Streamlet(await alice.newWindow());
    his = new Streamlet(await bob.newWindow());
    await hers.open();
    await hers.createProfile({ peerId: "Alice", port: await freePort(), tracker: first.address });
    await his.open();
    await his.createProfile({ peerId: "Bob", port: bobsPort, tracker: first.address });
    await neighbour("Carol", "Carol's clip", first.address);
  });

  after(async () => {
    await alice?.stop();
    await bob?.stop();
    for (const program of programs) await program.stop();
    await first?.program.stop();
    await second?.program.stop();
  });

  it("other people's Peer ID is always shown, with address and fingerprint, and oneself first", async () => {
    const rows = await under("Connected Users", (list) => list.length === 3, "three people are online");
    assert.deepEqual(
      rows.map((row) => row.label),
      ["Alice (You)", "Bob", "Carol"],
    );
    for (const { description } of rows) assert.match(description, /:\d+ · [A-Z2-7]{7}$/);
    const [hint] = section(await hers.peers.rows(), "Friends");
    assert.match(hint?.label ?? "", /No friends yet/);
    assert.match(
      await hers.peers.tooltip("Bob"),
      new RegExp(`Fingerprint:\\s${FINGERPRINT.source}.*Online\\ssince`, "s"),
    );
  });

  it("a friend is added from a row, after the fingerprint was shown", async () => {
    await hers.peers.openMenu("Bob");
    await hers.window.pickMenu("Add to Friends");
    const question = (await hers.window.modal().textContent()) ?? "";
    assert.match(question, /Add Bob to your friends\?/);
    assert.match(question, FINGERPRINT);
    await hers.window.answerModal("Add to Friends");
    await described("Friends", "Bob", /^online/);
    await described("Connected Users", "Bob", /^friend/);
    await hers.window.clearToasts();
  });

  it("a friend is added by the contact that was copied; a mistyped one is refused as it is typed", async () => {
    await hers.window.command("Streamlet: Copy Contact");
    await hers.window.toast("Your contact is copied").waitFor();
    const contact = await hers.window.clipboard();
    assert.match(contact, new RegExp(`^${FINGERPRINT.source}@.+:\\d+$`));
    await his.peers.titleAction("Add Friend by Contact...");
    await his.window.quickInput().fill(contact.replace(/^./, (char) => (char === "A" ? "B" : "A")));
    await his.window.page.getByText("one of them is missing or mistyped").waitFor();
    await his.window.answer(contact);
    await his.window.page.getByText("Peer ID of your friend").waitFor();
    await his.window.page.keyboard.press("Enter");
    await described("Friends", "Alice", /^online/, his);
    await hers.window.clearToasts();
    await his.window.clearToasts();
  });

  it("a video for friends is seen by the friend and by nobody else, and its tooltip says who that is", async () => {
    await hers.window.command("Streamlet: Upload Video...");
    await hers.window.chooseFile(CLIP);
    const form = await hers.window.webview(".card");
    await field(form, "Name").fill("For friends");
    await form.getByRole("radio", { name: "Friends", exact: true }).click();
    await form.getByRole("button", { name: "Upload", exact: true }).click();
    await hers.untilDescribed(hers.videos, "For friends", /^Friends only/);
    assert.match(await hers.videos.tooltip("For friends"), /friends only: Bob; nobody else/);
    await his.untilDescribed(his.network, "For friends", /Alice/);
    const where = ["--data", tempDir("third"), "--host", "127.0.0.1", "--port", "0", "--tracker", first.address];
    const listed = await new Program("streamlet", ["list", "--peer-id", "Third", ...where]).all(START_TIMEOUT_MS);
    assert.deepEqual(
      listed.filter(({ event }) => event === "video").map(({ name }) => name),
      ["Carol's clip"],
    );
    await hers.window.clearToasts();
  });

  it("whoever bears a friend's name under another key is flagged, told of once, and not acted upon without a warning", async () => {
    await neighbour("Bob", "Not from Bob", second.address);
    const rows = await described("Connected Users", "Bob", /not the Bob you know: another key/);
    const impostor = rows.find((row) => /another key/.test(row.description));
    assert.match(impostor?.spoken ?? "", /^Warning/);
    assert.equal(rows.filter((row) => row.label === "Bob").length, 2);
    await hers.window.toast(/Somebody is online as Bob who is not the Bob you know/).waitFor();
    assert.equal(await his.window.toast(/not the Bob/).count(), 0);
    await hers.window.clearToasts();
    await hers.peers.titleAction("Refresh");

    const row = hers.window.page.locator(".monaco-list-row", { hasText: "not the Bob you know" });
    await row.click({ button: "right" });
    await hers.window.pickMenu("Connect");
    assert.match((await hers.window.modal().textContent()) ?? "", /This is not the Bob you know/);
    await hers.window.answerModal("Cancel");
    assert.equal(await hers.window.statusItem(LINK).count(), 0);
    assert.equal(await hers.window.toast(/who is not the Bob/).count(), 0, "it is said once");
  });

  it("a block hides somebody until it is taken back", async () => {
    await hers.network.row("Not from Bob").waitFor();
    const row = hers.window.page.locator(".monaco-list-row", { hasText: "not the Bob you know" });
    await row.click({ button: "right" });
    await hers.window.pickMenu("Block");
    await hers.window.answerModal("Block");
    await row.waitFor({ state: "detached" });
    await hers.untilGone(hers.network, "Not from Bob");
    await hers.peers.expand("Blocked");
    await described("Blocked", "Bob", /^blocked/);
    await hers.window.clearToasts();
    await hers.window.command("Streamlet: Unblock...");
    await hers.window.pick("Bob");
    await described("Connected Users", "Bob", /another key/);
    await hers.network.row("Not from Bob").waitFor();
    await hers.window.clearToasts();
  });

  it("the videos of one peer can be browsed, and all again", async () => {
    await hers.peers.openMenu("Carol");
    await hers.window.pickMenu("Browse Videos");
    await hers.untilGone(hers.network, "Not from Bob");
    await hers.network.row("Carol's clip").waitFor();
    await hers.network.titleAction("Clear Filters");
    await hers.network.row("Not from Bob").waitFor();
  });

  it("a friend who leaves was last seen just now", async () => {
    await his.window.command("Streamlet: Stop Profile");
    await described("Friends", "Bob", /^last seen just now/);
  });

  it("without any tracker a connection by hand says whether it is the friend, and the status bar ends it", async () => {
    await first.program.stop();
    await second.program.stop();
    await his.window.command("Streamlet: Start Profile");
    await his.untilRunning("Bob");
    await described("Friends", "Bob", /^online/);
    await hers.window.command("Streamlet: Connect Manually...");
    // Who is still listed can be picked; the address is asked for at once where nobody is.
    await hers.window.quickInput().waitFor();
    if ((await hers.window.quickRows().count()) > 0) await hers.window.pick("Type an address");
    await hers.window.page.getByText("Address of the other person").waitFor();
    await hers.window.answer(`127.0.0.1:${bobsPort}`);
    assert.match((await hers.window.modal().textContent()) ?? "", /This is the Bob you pinned/);
    await hers.window.answerModal("Stay Connected");
    const untilSaid = (text: string) =>
      until(
        async () => (await hers.window.statusItem(LINK).getAttribute("aria-label"))?.includes(text),
        `the status bar says ${text}`,
      );
    await untilSaid("Connected to Bob");
    await his.window.command("Streamlet: Stop Profile");
    await untilSaid("is lost");
    await his.window.command("Streamlet: Start Profile");
    await untilSaid("Connected to Bob");

    // Her own peer begins anew with another tracker, and goes on where it was.
    await hers.window.command("Streamlet: Edit Profile...");
    const form = await hers.profileForm();
    await field(form, "Tracker 1").fill("127.0.0.1:9");
    await form.getByRole("button", { name: "Save" }).click();
    await untilSaid("is lost");
    await untilSaid("Connected to Bob");
    await hers.window.statusItem(LINK).click();
    await hers.window.statusItem(LINK).waitFor({ state: "detached" });
  });

  it("a friend is removed after it was said what that means, and sees no video for friends any more", async () => {
    await hers.peers.row("Bob").waitFor();
    await hers.peers.openMenu("Bob");
    await hers.window.pickMenu("Remove from Friends");
    assert.match((await hers.window.modal().textContent()) ?? "", /end for Bob at once/);
    await hers.window.answerModal("Remove");
    await under("Friends", (rows) => /No friends yet/.test(rows[0]?.label ?? ""), "nobody is a friend");
    await his.untilGone(his.network, "For friends");
  });
});
