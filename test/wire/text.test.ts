import assert from "node:assert/strict";
import fc from "fast-check";
import { charCount, cleanText, isSafeText, visibleText } from "../../src/wire/text";
import { BUSY_MACHINE_MS, UNSAFE_CHARACTERS } from "./support";

describe("text of others", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("may be shown in every script, with emoji and their joiners", () => {
    for (const text of [
      "Fehler beim Öffnen",
      "日本語のデモ",
      "عربي",
      "עברית",
      "हिन्दी क्ष",
      "👩‍👩‍👧 family",
      "naïve café",
      "a\u0301",
      "₹ 5 – “x”",
    ]) {
      assert.ok(isSafeText(text), text);
      assert.equal(cleanText(text), text);
    }
  });

  for (const char of UNSAFE_CHARACTERS) {
    it(`may not hold U+${(char.codePointAt(0) as number).toString(16).padStart(4, "0")}, alone or within`, () => {
      assert.ok(!isSafeText(char));
      assert.ok(!isSafeText(`holiday${char}4pm.exe`));
      assert.ok(!isSafeText(`holiday${char}4pm.exe`, { lines: true }));
      assert.ok(isSafeText(cleanText(`holiday${char}4pm.exe`)));
    });
  }

  it("may have line breaks only where lines are shown", () => {
    assert.ok(isSafeText("a\nb", { lines: true }));
    assert.ok(!isSafeText("a\nb"));
    assert.equal(cleanText(" a\r\nb\rc\u2028d\te \n", { lines: true }), "a\nb\nc\nd e");
    assert.equal(cleanText(" a\r\n\nb\tc "), "a b c");
  });

  it("is safe after it was cleaned, and cleaning it again changes nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.boolean(), (text, lines) => {
        const clean = cleanText(text, { lines });
        assert.ok(isSafeText(clean, { lines }));
        assert.equal(cleanText(clean, { lines }), clean);
      }),
    );
  });

  it("is counted in code points", () => {
    assert.equal(charCount("a👍é"), 3);
  });

  it("from other programs becomes one short line, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const line = visibleText(bytes, 20);
        assert.ok(isSafeText(line) && charCount(line) <= 20);
      }),
    );
    assert.equal(visibleText(Buffer.from("👍".repeat(30)), 20), "👍".repeat(20));
  });
});
