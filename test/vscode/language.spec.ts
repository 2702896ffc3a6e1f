import { readFileSync } from "node:fs";
import { oneStory } from "../helpers/oneStory";
import { App } from "./support/app";
import { field, freePort } from "./support/streamlet";
import type { Workbench } from "./support/workbench";

const TEXTS = JSON.parse(readFileSync("package.nls.de.json", "utf8")) as Record<string, string>;
const BUNDLE = JSON.parse(readFileSync("l10n/bundle.l10n.de.json", "utf8")) as Record<string, string>;
const de = (text: string, ...args: string[]) =>
  args.reduce((filled, arg, i) => filled.replaceAll(`{${i}}`, arg), BUNDLE[text] ?? `no translation of ${text}`);

describe("Streamlet in German", function () {
  this.timeout(120_000);
  oneStory(this);
  let app: App;
  let window: Workbench;

  before(async () => {
    app = await App.start({ name: "jutta", language: "de" });
    window = await app.newWindow();
    await window.openContainer("Streamlet");
  });
  after(() => app?.stop());

  it("names views, welcome texts and commands as package.nls.de.json does", async () => {
    const videos = window.tree(TEXTS["view.videos"]!);
    await videos.welcome().getByText("keine Cloud, kein Konto").waitFor();
    await videos.welcomeButton("Profil anlegen");
  });

  it("speaks German in its pages, and says so to screen readers", async () => {
    const page = await window.webview("main h1");
    await page.getByRole("heading", { name: de("Create Profile") }).waitFor();
    await page.locator("html[lang=de]").waitFor();
    await field(page, de("Peer ID")).fill("mit Leerzeichen");
    await page.getByText(de("Use only letters (A-Z), digits, underscore, hyphen and dot.")).waitFor();
    await field(page, de("Peer ID")).fill("Jutta");
    await field(page, de("Port")).fill(String(await freePort()));
    await field(page, de("Tracker {0}", "1")).fill("127.0.0.1:1");
    await page.getByRole("button", { name: de("Create Profile") }).click();
  });

  it("speaks German in its lists, and in what the connection doctor finds", async () => {
    await window.tree(TEXTS["view.videos"]!).row(de("Uploaded")).waitFor();
    await window.command(`Streamlet: ${TEXTS["command.connectionDoctor"]}`);
    const page = await window.webview(".finding");
    await page.getByText(de("No tracker answers at {0}. Start one, or edit the profile.", "127.0.0.1:1")).waitFor();
    await page.getByRole("button", { name: de("Start a Tracker Here") }).waitFor();
    await window.screenshot("german");
  });
});
