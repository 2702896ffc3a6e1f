import assert from "node:assert/strict";
import { dispatchMessage, fillText } from "../../src/rpc/webviewMessages";

describe("messages between host and webview", () => {
  it("reach the handler of their type", () => {
    type In = { type: "add"; path: string } | { type: "cancel" };
    const got: string[] = [];
    const handlers = {
      add: ({ path }: { path: string }) => void got.push(`add ${path}`),
      cancel: () => void got.push("cancel"),
    };
    dispatchMessage<In>(handlers, { type: "add", path: "/a" });
    dispatchMessage<In>(handlers, { type: "cancel" });
    assert.deepEqual(got, ["add /a", "cancel"]);
  });

  it("texts get their arguments, and keep a placeholder that has none", () => {
    assert.equal(fillText("Tracker {0} of {1}, {0}", 1, "two"), "Tracker 1 of two, 1");
    assert.equal(fillText("{0} {2}", "$&"), "$& {2}");
  });
});
