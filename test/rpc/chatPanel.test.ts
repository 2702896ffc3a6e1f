import assert from "node:assert/strict";
import fc from "fast-check";
import type { ChatMessage, ChatPage } from "../../src/peer/status";
import { joinNewest, joinOlder, linksOf, MAX_MESSAGE_LENGTH, placeMessages, toMessage } from "../../src/rpc/chatPanel";
import { MAX_CHAT_CHARS } from "../../src/wire/control";
import { isSafeText } from "../../src/wire/text";

const ID = "ab".repeat(32);
const NOON = new Date(2026, 4, 3, 12).getTime();
const MINUTE = 60_000;

function message(n: number, changes: Partial<ChatMessage> = {}): ChatMessage {
  return { id: `${n}`, from: "them", text: `text ${n}`, sentAt: NOON + n, state: "delivered", ...changes };
}
const page = (from: number, to: number, more = false): ChatPage => ({
  messages: Array.from({ length: to - from }, (_, n) => message(from + n)),
  more,
});
const ids = ({ messages }: ChatPage) => messages.map(({ id }) => Number(id));

describe("the chat panel's rules", () => {
  it("a message has as many characters as the engine takes, and loses those that hide or reorder text", () => {
    assert.equal(MAX_MESSAGE_LENGTH, MAX_CHAT_CHARS);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (typed) => {
        assert.ok(isSafeText(toMessage(typed), { lines: true }));
      }),
    );
  });

  it("web pages and videos may be opened, with where they lead, without the punctuation around them", () => {
    assert.deepEqual(linksOf("see (https://example.com/a?b=c%26d#e), or HTTP://user@evil.example:81/x."), [
      { kind: "web", url: "https://example.com/a?b=c%26d#e", host: "example.com" },
      { kind: "web", url: "HTTP://user@evil.example:81/x", host: "evil.example:81" },
    ]);
    const video = `code-oss://streamlet.streamlet/v/${ID}?l=5#t=83`;
    assert.deepEqual(linksOf(`look: ${video}\n${video}`), [{ kind: "video", url: video }]);
    assert.deepEqual(linksOf("https://exаmple.com"), [
      { kind: "web", url: "https://exаmple.com", host: "xn--exmple-4nf.com" },
    ]);
    assert.equal(linksOf(Array.from({ length: 50 }, (_, n) => `https://example.com/${n}`).join(" ")).length, 5);
  });

  it("nothing else may be opened", () => {
    const others = [
      "command:workbench.action.quit",
      "https://example.com\\@evil.example/x",
      "vscode://vscode.git/clone?url=x",
      "vscode://streamlet.streamlet/other",
      `vscode://evil.streamlet/v/${ID}`,
      "vscode://streamlet.streamlet/v/abc",
      "file:///etc/passwd",
      "javascript:alert(1)",
      "data:text/html,<b>",
      "[a](command:b)",
      "https://",
      "http://[",
      `https://example.com/${"x".repeat(3_000)}`,
      "ftp://example.com",
      "magnet:?xt=urn:btih:0",
    ];
    for (const text of others) assert.deepEqual(linksOf(text), [], text);
  });

  it("the newest page goes on from what is shown, without a gap, a repetition, or a loss", () => {
    assert.deepEqual(ids(joinNewest(page(0, 0), page(3, 6))), [3, 4, 5]);
    assert.deepEqual(ids(joinNewest(page(3, 6, true), page(1, 8))), [3, 4, 5, 6, 7]);
    assert.deepEqual(ids(joinNewest(page(1, 6), page(4, 9, true))), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.deepEqual(ids(joinNewest(page(1, 4), page(7, 9, true))), [7, 8], "what lies between is asked for anew");
    assert.equal(joinNewest(page(3, 6, true), page(1, 8)).more, true);
    assert.equal(joinNewest(page(1, 6, false), page(4, 9, true)).more, false);
    assert.deepEqual(joinNewest(page(1, 6), page(0, 0)), page(0, 0), "it was deleted");
  });

  it("an older page goes in front of the message that it was asked for, and nowhere else", () => {
    assert.deepEqual(ids(joinOlder(page(5, 8, true), "5", page(2, 5))), [2, 3, 4, 5, 6, 7]);
    assert.equal(joinOlder(page(5, 8, true), "5", page(2, 5, true)).more, true);
    assert.deepEqual(ids(joinOlder(page(2, 8), "5", page(2, 5))), [2, 3, 4, 5, 6, 7]);
  });

  it("messages of one side stand together unless time, day or state of delivery part them", () => {
    const placed = placeMessages([
      message(0),
      message(1, { sentAt: NOON + MINUTE }),
      message(2, { sentAt: NOON + 20 * MINUTE }),
      message(3, { sentAt: NOON + 21 * MINUTE, from: "me" }),
      message(4, { sentAt: NOON + 21 * MINUTE, from: "me", state: "waiting" }),
      message(5, { sentAt: NOON + 24 * 60 * MINUTE, from: "me", state: "waiting" }),
    ]);
    const marks = placed.map(
      (p) => `${p.firstOfDay ? "d" : "-"}${p.firstOfGroup ? "f" : "-"}${p.lastOfGroup ? "l" : "-"}`,
    );
    assert.deepEqual(marks, ["df-", "--l", "-fl", "-fl", "-fl", "dfl"]);
  });
});
