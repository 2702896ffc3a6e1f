import assert from "node:assert/strict";
import fc from "fast-check";
import {
  defaultTitle,
  MAX_DESCRIPTION_LENGTH,
  MAX_TITLE_LENGTH,
  toDescription,
  toTitle,
  validateDescription,
  validateTitle,
} from "../../src/rpc/uploadPanel";
import { isSafeText } from "../../src/wire/text";

describe("the upload form's rules", () => {
  it("a name has 1 to 200 characters, not counting blanks around it", () => {
    assert.equal(validateTitle(""), "titleEmpty");
    assert.equal(validateTitle(" \u200b\t "), "titleEmpty");
    assert.equal(validateTitle(` ${"x".repeat(MAX_TITLE_LENGTH)} `), undefined);
    assert.equal(validateTitle("\u{1f3a5}".repeat(MAX_TITLE_LENGTH)), undefined);
    assert.equal(validateTitle("x".repeat(MAX_TITLE_LENGTH + 1)), "titleTooLong");
  });

  it("a description may be empty and has at most 4000 characters", () => {
    assert.equal(validateDescription(""), undefined);
    assert.equal(validateDescription("x".repeat(MAX_DESCRIPTION_LENGTH)), undefined);
    assert.equal(validateDescription("x".repeat(MAX_DESCRIPTION_LENGTH + 1)), "descriptionTooLong");
  });

  it("what was typed loses the characters that hide or reorder text", () => {
    assert.equal(toTitle("demo\u202egpj\u0000.mp4"), "demogpj.mp4");
    assert.equal(toDescription("one\r\ntwo\u2066"), "one\ntwo");
  });

  it("the name that is proposed is the file's without its extension", () => {
    assert.equal(defaultTitle("/videos/login bug.mp4"), "login bug");
    assert.equal(defaultTitle("C:\\videos\\login.bug.v2.MKV"), "login.bug.v2");
    assert.equal(defaultTitle("clip"), "clip");
  });

  it("a file whose name is only an extension keeps it", () => {
    assert.equal(defaultTitle("/videos/.mp4"), ".mp4");
  });

  it("the name that is proposed can be published as it is, whatever the file is called", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (name) => {
        const title = defaultTitle(`/videos/${name}.mp4`);
        assert.ok(title === "" || validateTitle(title) === undefined);
        assert.equal(toTitle(title), title);
        assert.ok(isSafeText(title));
      }),
    );
  });
});
