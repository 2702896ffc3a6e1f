import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../../tools/program.mjs";
import { makeClip } from "../helpers/makeClip";
import { oneStory } from "../helpers/oneStory";
import { sha256OfFile } from "../helpers/randomFile";
import { tempDir } from "../helpers/tempDir";
import { App } from "./support/app";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

/** The tests tell one story, each goes on where the one before has ended. */
describe("the main job: two people, one tracker, one video", function () {
  this.timeout(120_000);
  oneStory(this);

  const TITLE = "Login bug";
  let tracker: { address: string; program: Program };
  let clip: string;
  let alice: App;
  let bob: App;
  let hers: Streamlet;
  let his: Streamlet;

  before(async () => {
    tracker = await startTracker();
    clip = await makeClip(join(tempDir("clip"), "screen recording.mp4"), { seconds: 6 });
    alice = await App.start({ name: "alice" });
    bob = await App.start({ name: "bob" });
    hers = new Streamlet(await alice.newWindow());
    his = new Streamlet(await bob.newWindow());
  });

  after(async () => {
    await alice?.stop();
    await bob?.stop();
    await tracker?.program.stop();
  });

  it("Alice is told what to do first", async () => {
    await hers.open();
    for (const view of [hers.videos, hers.network, hers.peers]) {
      await view.welcome().getByText("Create Profile").waitFor();
    }
  });

  it("Alice creates her profile in the form, which says what is wrong as she types", async () => {
    await hers.videos.welcomeButton("Create Profile");
    const form = await hers.profileForm();
    await field(form, "Peer ID").fill("Alice in Wonderland");
    await form.getByText(/only letters/).waitFor();
    await field(form, "Peer ID").fill("Alice");
    await field(form, "Port").fill(String(await freePort()));
    await field(form, "Tracker 1").fill(tracker.address);
    await form.getByRole("button", { name: "Create Profile" }).click();
    await hers.untilRunning("Alice");
    assert.ok((await lengthOfSecrets(hers)) > "{}".length, "her key is in SecretStorage");
    assert.equal(profileFolders(alice).length, 1);
  });

  it("Alice uploads a clip and puts it on the network", async () => {
    await hers.upload(clip, TITLE);
    await hers.untilDescribed(hers.videos, TITLE, /On Network/);
  });

  it("Alice finds her own video in the network, marked as hers", async () => {
    await hers.untilDescribed(hers.network, TITLE, /Alice \(You\)/);
  });

  it("Bob, in another VS Code with data of its own, sees it with her Peer ID", async () => {
    await his.open();
    await his.createProfile({ peerId: "Bob", port: await freePort(), tracker: tracker.address });
    const description = await his.untilDescribed(his.network, TITLE, /Alice/);
    assert.match(description, /1 source/);
    assert.doesNotMatch(description, /You/);
  });

  it("both see each other among the peers", async () => {
    const names = async (view: Streamlet["peers"]) => (await view.rows()).map((row) => row.label);
    await until(async () => (await names(his.peers)).includes("Alice"), "Bob sees Alice");
    await until(async () => (await names(hers.peers)).includes("Bob"), "Alice sees Bob");
  });

  it("a refresh makes nothing flicker or vanish", async () => {
    for (let i = 0; i < 5; i += 1) {
      await his.network.titleAction("Refresh");
      for (let look = 0; look < 10; look += 1) {
        const rows = await his.network.rows();
        assert.deepEqual(
          rows.map((row) => row.label),
          [TITLE],
        );
      }
    }
  });

  it("Bob downloads it, and his file is Alice's, byte by byte", async () => {
    await his.network.inlineAction(TITLE, "Download");
    await his.untilDescribed(his.videos, TITLE, /^(?!.*downloading).*[kM]B/);
    const copy = await until(() => findFile(bob.globalStorage(), /\.mp4$/), "the download is in Bob's folder");
    assert.equal(await sha256OfFile(copy), await sha256OfFile(clip));
    assert.equal(findFile(bob.globalStorage(), /\.part$/), undefined);
  });

  it("a byte that has turned over in Bob's file is found by a recheck, and comes again from Alice", async () => {
    const copy = findFile(bob.globalStorage(), /\.mp4$/)!;
    const bytes = readFileSync(copy);
    const { atime, mtime } = statSync(copy);
    bytes[1000]! ^= 1;
    writeFileSync(copy, bytes);
    utimesSync(copy, atime, mtime);
    await his.window.clearToasts();
    await his.videos.openMenu(TITLE);
    await his.window.pickMenu("Recheck");
    await his.window.toast(/was verified: .* are wrong and come from others again/).waitFor();
    await his.untilDescribed(his.videos, TITLE, /On Network/);
    assert.equal(await sha256OfFile(findFile(bob.globalStorage(), /\.mp4$/)!), await sha256OfFile(clip));
    await his.window.clearToasts();
    await his.videos.openMenu(TITLE);
    await his.window.pickMenu("Recheck");
    await his.window.toast(/was verified: all of it is right/).waitFor();
    await his.window.clearToasts();
  });

  it("Alice limits the speed of one video, which its tooltip says, and lifts the limit", async () => {
    const { page } = hers.window;
    await hers.videos.openMenu(TITLE);
    await hers.window.pickMenu("Limit Speed...");
    await hers.window.pick("Other...");
    await page.getByText("Bytes per second, such as 750k").first().waitFor();
    await hers.window.answer("fast");
    await page.getByText("A speed is a number of bytes per second").first().waitFor();
    await hers.window.answer("750k");
    const says = async (text: string) => (await hers.videos.tooltip(TITLE)).includes(text);
    await until(() => says("upload at most 750 kB/s"), "the tooltip says it");
    await hers.videos.openMenu(TITLE);
    await hers.window.pickMenu("Limit Speed...");
    await hers.window.pick("No limit");
    await until(async () => !(await says("at most")), "the limit is gone");
  });

  it("profiles and libraries survive a reload of the windows", async () => {
    for (const [person, name] of [
      [hers, "Alice"],
      [his, "Bob"],
    ] as const) {
      await person.window.reload();
      await person.open();
      await person.untilRunning(name);
      await person.videos.row(TITLE).waitFor();
    }
    await hers.untilDescribed(hers.videos, TITLE, /On Network/);
    await his.untilDescribed(his.network, TITLE, /Alice/);
  });

  it("Alice takes it back: it leaves Bob's network by itself, and stays among his videos", async () => {
    await hers.videos.inlineAction(TITLE, "Stop Sharing");
    await hers.untilDescribed(hers.videos, TITLE, /not shared/);
    await his.untilGone(his.network, TITLE);
    await his.videos.row(TITLE).waitFor();
  });

  it("deleting a profile removes all of it, but not the file that was uploaded", async () => {
    await hers.window.command("Streamlet: Delete Profile...");
    const question = (await hers.window.modal().textContent()) ?? "";
    assert.match(question, /Alice/);
    assert.match(question, /stay where they are/);
    await hers.window.answerModal("Delete Profile");
    await hers.videos.welcome().getByText("Create Profile").waitFor();
    await until(() => profileFolders(alice).length === 0, "nothing of the profile is on disk");
    assert.equal(existsSync(clip), true);
    await until(async () => (await lengthOfSecrets(hers)) === "{}".length, "her key is gone");

    await hers.window.reload();
    await hers.open();
    await hers.videos.welcome().getByText("Create Profile").waitFor();
    assert.deepEqual(profileFolders(alice), []);
  });

  it("Bob's profile with its download goes as completely", async () => {
    await his.window.command("Streamlet: Delete Profile...");
    await his.window.answerModal("Delete Profile");
    await his.videos.welcome().getByText("Create Profile").waitFor();
    await until(() => profileFolders(bob).length === 0, "nothing of the profile is on disk");
    assert.equal(findFile(bob.globalStorage(), /\.mp4$/), undefined);
  });
});

function profileFolders(app: App): string[] {
  const folder = join(app.globalStorage(), "profiles");
  return existsSync(folder) ? readdirSync(folder) : [];
}

function findFile(folder: string, name: RegExp): string | undefined {
  if (!existsSync(folder)) return undefined;
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.isFile() && name.test(entry.name),
  );
  return found && join(found.parentPath, found.name);
}

/** What VS Code's web workbench puts before and after its encrypted JSON: half of the key, nonce and tag of AES-GCM. */
const SECRETS_OVERHEAD_BYTES = 32 + 12 + 16;

/** Length of the JSON object that holds all secrets of all extensions; an empty one has 2 characters. */
async function lengthOfSecrets({ window }: Streamlet): Promise<number> {
  const stored = await window.page.evaluate<string>('localStorage.getItem("secrets.provider") ?? ""');
  return Buffer.from(stored, "base64").length - SECRETS_OVERHEAD_BYTES;
}
