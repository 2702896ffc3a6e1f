import assert from "node:assert/strict";
import { ReachableAddresses } from "../../src/ui/panels/reachableAddresses";

const HERE = "http://127.0.0.1:4000";

/** A VS Code that answers what `answers` says, and remembers what it was asked. */
function vscode(answer: (url: string) => string) {
  const asked: string[] = [];
  const addresses = new ReachableAddresses(async (url) => {
    asked.push(url);
    return answer(url);
  });
  return { asked, addresses };
}

describe("Addresses that a window reaches", () => {
  const proxied = (url: string) => url.replace("http://127.0.0.1:", "http://editor.example/proxy/");

  it("are those that VS Code gives", async () => {
    const { addresses } = vscode(proxied);
    assert.equal(
      await addresses.of(`${HERE}/token/a.mp4?from=3`),
      "http://editor.example/proxy/4000/token/a.mp4?from=3",
    );
  });

  it("are asked for once for each server, however many want one at the same time", async () => {
    const { asked, addresses } = vscode(proxied);
    const paths = ["a", "b", "c"];
    const given = await Promise.all(paths.map((path) => addresses.of(`${HERE}/${path}`)));
    assert.deepEqual(
      given,
      paths.map((path) => `http://editor.example/proxy/4000/${path}`),
    );
    await addresses.of("http://127.0.0.1:4001/d");
    assert.deepEqual(asked, [`${HERE}/`, "http://127.0.0.1:4001/"]);
  });

  it("are asked for anew where the known one leads nowhere, which then is the known one", async () => {
    let port = 7000;
    const { asked, addresses } = vscode(() => `http://tunnel.example:${port++}/`);
    assert.equal(await addresses.of(`${HERE}/a`), "http://tunnel.example:7000/a");
    assert.equal(await addresses.of(`${HERE}/a`, { anew: true }), "http://tunnel.example:7001/a");
    assert.equal(await addresses.of(`${HERE}/b`), "http://tunnel.example:7001/b");
    assert.equal(asked.length, 2);
  });

  it("are asked for one by one where the server's own has more than a path", async () => {
    const { addresses } = vscode((url) => `${url}?ticket=1`);
    assert.equal(await addresses.of(`${HERE}/a`), `${HERE}/a?ticket=1`);
  });

  it("are not remembered where VS Code could not say", async () => {
    let works = false;
    const { addresses } = vscode((url) => {
      if (!works) throw new Error("not now");
      return proxied(url);
    });
    await assert.rejects(addresses.of(`${HERE}/a`), /not now/);
    works = true;
    assert.equal(await addresses.of(`${HERE}/a`), "http://editor.example/proxy/4000/a");
  });
});
