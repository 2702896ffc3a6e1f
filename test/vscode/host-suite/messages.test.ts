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
