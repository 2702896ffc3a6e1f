import assert from "node:assert/strict";
import type { Frame } from "playwright-core";
import { oneStory } from "../helpers/oneStory";
import { App } from "./support/app";
import { field, freePort, Streamlet, startTracker } from "./support/streamlet";
import { until } from "./support/until";

describe("help at first, and when something does not work", function () {
  this.timeout(120_000);
  oneStory(this);
  let app: App;
  let mine: Streamlet;
  let tracker: Awaited<ReturnType<typeof startTracker>>;
  let port: number;

  before(async () => {
    tracker = await startTracker();
    port = await freePort();
    app = await App.start({ name: "helen" });
    mine = new Streamlet(await app.newWindow());
    await mine.open();
  });
  after(async () => {
    await app?.stop();
    await tracker?.program.stop();
  });

  const doctor = (): Promise<Frame> => mine.window.webview("main .findings");
  /** Rows of the doctor's page once its test is done: title -> "state: sentence". */
  async function findings(page: Frame): Promise<Map<string, string>> {
    await page.getByRole("button", { name: /^Test/ }).waitFor();
    const rows = await page.locator(".finding").all();
    const found = new Map<string, string>();
    for (const row of rows) {
      const title = await row.locator(".label").innerText();
      found.set(title, `${await row.locator(".verdict").innerText()}: ${await row.locator(".sentence").innerText()}`);
    }
    return found;
  }

  it("the first steps are one click away, with a picture each", async () => {
    await mine.videos.welcome().getByText("Show the first steps").click();
    const { page } = mine.window;
    for (const step of ["Create a profile", "Upload a video", "Meet others", "Watch or download"]) {
      await page.locator(".getting-started-step", { hasText: step }).waitFor();
    }
    await mine.window.webview("svg");
    await mine.window.screenshot("walkthrough");
  });

  it("a step is done when what it asks for has happened", async () => {
    const { page } = mine.window;
    const done = page.locator(".getting-started-step .codicon-getting-started-step-checked");
    assert.equal(await done.count(), 0);
    await page.locator(".getting-started-step").getByRole("button", { name: "Create Profile" }).click();
    const form = await mine.profileForm();
    await field(form, "Peer ID").fill("Helen");
    await field(form, "Port").fill(String(port));
    await field(form, "Tracker 1").fill(`${tracker.address}?token=geheim`);
    await form.getByRole("button", { name: "Create Profile" }).click();
    await mine.untilRunning("Helen");
    await until(async () => (await done.count()) >= 1, "the first step is ticked");
    await mine.window.command("View: Close All Editors");
  });

  it("the doctor tests port, tracker, clock and disk, and says what it cannot know", async () => {
    await mine.window.command("Streamlet: Connection Doctor");
    const found = await findings(await doctor());
    assert.equal(found.get("Port"), `OK: Port ${port} of this computer answers.`);
    assert.match(found.get(`Tracker ${tracker.address}`) ?? "", /^OK: Answers in \d+ ms/);
    assert.match(found.get("Clock") ?? "", /^OK: /);
    assert.match(found.get("Room for downloads") ?? "", /free in/);
    assert.match(found.get("Firewall and router") ?? "", /^Not tested: Cannot be told now/);
  });

  it("its report can be sent to others: no token in it", async () => {
    const page = await doctor();
    await page.getByRole("button", { name: "Copy Report" }).click();
    await page.getByText("Report copied").first().waitFor();
    const report = await mine.window.clipboard();
    assert.match(report, /^Streamlet \d.*\n\n\[OK\] Port: /);
    assert.doesNotMatch(report, /geheim|PRIVATE/);
  });

  it("a test can be cancelled and started again by keyboard alone", async () => {
    await tracker.program.stop();
    const page = await doctor();
    const { keyboard } = mine.window.page;
    await page.getByRole("button", { name: "Test Again" }).focus();
    await keyboard.press("Enter");
    await page.getByRole("button", { name: "Cancel" }).waitFor();
    await keyboard.press("Enter");
    await page.getByText("The test was cancelled").first().waitFor();
    await keyboard.press("Enter");
    await page.getByText("Found: 1 problem").first().waitFor();
  });

  it("names the tracker that does not answer, with one way to mend it", async () => {
    const page = await doctor();
    const row = page.locator(".finding[data-state=problem]", { hasText: tracker.address });
    await row.getByText("No tracker answers").waitFor();
    await row.getByRole("button", { name: "Start a Tracker Here" }).click();
    await page.locator(".finding[data-state=ok]", { hasText: tracker.address }).waitFor();
  });

  it("without a running profile says so, and starts it", async () => {
    await mine.window.command("Streamlet: Stop Profile");
    await mine.videos.welcome().getByText("Start Profile").waitFor();
    await mine.window.command("Streamlet: Connection Doctor");
    const page = await doctor();
    await page
      .locator(".finding", { hasText: "No profile runs" })
      .getByRole("button", { name: "Start Profile" })
      .click();
    await page.locator(".finding[data-state=ok]", { hasText: `Port ${port}` }).waitFor();
  });
});
