import assert from "node:assert/strict";
import { foldText, haystackOf, matchesWords, nameKey, queryWords } from "../../src/wire/search";

const video = { title: "Café Crash", description: "Große Straße\nアリスの動画", ownerName: "Alice" };

describe("A search", () => {
  const finds = (text: string) => matchesWords(haystackOf(video), queryWords(text));

  it("finds every word anywhere, without case, accents and forms", () => {
    for (const text of ["cafe", "CAFÉ", "cafe\u0301", "ash", "alice crash", "ｃａｆｅ", "動画", "straße", "", "  "]) {
      assert.ok(finds(text), text);
    }
    for (const text of ["crash bob", "cafecrash", "crash\u0000", "Straßé x"]) assert.ok(!finds(text), text);
  });

  it("never matches across two fields", () => {
    assert.ok(!finds("crashgroße"));
    assert.ok(!matchesWords(haystackOf(video), ["crash\ngroße"]) || queryWords("crash\ngroße").length === 2);
  });

  it("looks at a bounded number of words, each once", () => {
    assert.deepEqual(queryWords("a A á b"), ["a", "b"]);
    assert.equal(queryWords(Array.from({ length: 100 }, (_, i) => `w${i}`).join(" ")).length, 8);
  });

  it("sorts names without case and accents", () => {
    const names = ["zebra", "Élan", "apple", "Eden"];
    assert.deepEqual(
      names.sort((a, b) => (nameKey(a) < nameKey(b) ? -1 : 1)),
      ["apple", "Eden", "Élan", "zebra"],
    );
    assert.equal(foldText("ÀÉ"), "ae");
  });
});
