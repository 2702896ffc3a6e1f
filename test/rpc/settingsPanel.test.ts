import assert from "node:assert/strict";
import type { SettingSchema } from "../../src/rpc/settingSchema";
import { trackerProblems, typedNumber, typedPath } from "../../src/rpc/settingsPanel";

describe("what is typed into the settings page", () => {
  const rate: SettingSchema = { type: "number", default: 0, minimum: 0, maximum: 1000 };

  it("is a number with a point or a comma, and nothing else", () => {
    assert.deepEqual(typedNumber(" 2.5 ", rate), { value: 2.5 });
    assert.deepEqual(typedNumber("2,5", rate), { value: 2.5 });
    for (const text of ["", "  ", "5 kB", "1,000,0", "--1", "NaN"]) {
      assert.deepEqual(typedNumber(text, rate), { problem: "notANumber" }, text);
    }
    assert.deepEqual(typedNumber("-1", rate), { problem: "tooSmall" });
    assert.deepEqual(typedNumber("1e300", rate), { problem: "tooLarge" });
    assert.deepEqual(typedNumber("Infinity", rate), { problem: "tooLarge" });
    assert.deepEqual(typedNumber("1.5", { ...rate, type: "integer" }), { problem: "notWhole" });
  });

  it("is a whole path of the machine that is meant, the home folder, or nothing", () => {
    for (const text of ["", "/videos", "~", "~/videos"]) assert.deepEqual(typedPath(text, "linux"), { value: text });
    for (const text of ["C:\\videos", "c:/videos", "\\\\server\\share", "~\\videos"]) {
      assert.deepEqual(typedPath(text, "win32"), { value: text });
    }
    for (const text of ["videos", "./videos", "C:\\videos", "~bob"]) {
      assert.deepEqual(typedPath(text, "linux"), { problem: "notAbsolute" }, text);
    }
    assert.deepEqual(typedPath("/videos", "win32"), { problem: "notAbsolute" });
  });

  it("is a list of trackers, each of them once", () => {
    assert.deepEqual(trackerProblems(["localhost:6000", " wss://tracker.example.org "]), [undefined, undefined]);
    assert.deepEqual(trackerProblems(["localhost:6000", "localhost:6000", ""]), [
      undefined,
      "trackerRepeated",
      "trackerEmpty",
    ]);
  });
});
