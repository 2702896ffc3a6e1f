import assert from "node:assert/strict";
import { explain } from "../../../src/ui/messages";
import { withoutIcons, withoutLinks } from "../../../src/ui/notify";
import { ERROR_CODES } from "../../../src/wire/errors";

describe("sentences about errors", () => {
  it("say something for every code, with and without facts", () => {
    const data = { port: 5000, nextFree: 5001, address: "localhost:6000", path: "/v/clip.mp4", name: "alice", pid: 42 };
    for (const code of ERROR_CODES) {
      const message = "What the engine says.";
      for (const sentence of [explain({ code, message }), explain({ code, message, data })]) {
        assert.match(sentence, /[.)?]$/, code);
        assert.doesNotMatch(sentence, /\{\d\}|undefined|\[object/, code);
      }
    }
  });

  it("name AirPlay where it is the one that has the port: on macOS, ports 5000 and 7000", () => {
    const platform = Object.getOwnPropertyDescriptor(process, "platform")!;
    const sentence = (port: number) => explain({ code: "port-in-use", message: "", data: { port } });
    try {
      Object.defineProperty(process, "platform", { ...platform, value: "darwin" });
      for (const port of [5000, 7000])
        assert.match(sentence(port), new RegExp(`Port ${port} is used.*AirPlay Receiver`));
      assert.doesNotMatch(sentence(5001), /AirPlay/);
      Object.defineProperty(process, "platform", { ...platform, value: "linux" });
      assert.doesNotMatch(sentence(5000), /AirPlay/);
    } finally {
      Object.defineProperty(process, "platform", platform);
    }
  });

  it("name what a full disk quota allows, what is used of it, and what was wanted", () => {
    const data = { quota: 10e9, used: 9.5e9, needed: 700e6 };
    const sentence = explain({ code: "quota-exceeded", message: "", data });
    assert.match(sentence, /needs 700 MB.* take 9\.5 GB of the 10 GB.*Raise the disk quota/);
  });

  it("name the file, not its whole path", () => {
    assert.match(explain({ code: "empty-file", message: "", data: { path: "C:\\videos\\clip.mp4" } }), /^clip\.mp4 /);
  });
});

describe("text of other people", () => {
  it("makes no links in toasts and no icons in lists", () => {
    assert.doesNotMatch(withoutLinks("[Click](command:workbench.action.quit)"), /\]\(/);
    assert.doesNotMatch(withoutIcons("$(trash) $(sync~spin)"), /\$\(/);
  });
});
