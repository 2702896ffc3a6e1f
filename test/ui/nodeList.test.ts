import assert from "node:assert/strict";
import { NodeList } from "../../src/ui/views/nodeList";

interface Thing {
  id: string;
  done: number;
}
const thing = (id: string, done = 0): Thing => ({ id, done });

describe("a list of tree nodes", () => {
  let list: NodeList<Thing>;
  beforeEach(() => {
    list = new NodeList<Thing>((value) => value.id);
    list.update([thing("a"), thing("b"), thing("c")]);
  });

  it("reports nothing when nothing changed", () => {
    assert.deepEqual(list.update([thing("a"), thing("b"), thing("c")]), { structure: false, changed: [] });
  });

  it("keeps the same object for a thing that changes, and reports it alone", () => {
    const before = list.find("b");
    const change = list.update([thing("a"), thing("b", 5), thing("c")]);
    assert.equal(change.structure, false);
    assert.deepEqual(change.changed, [before]);
    assert.equal(list.find("b"), before);
    assert.equal(before?.value.done, 5);
  });

  it("keeps the objects of things that move, and reports the structure", () => {
    const before = list.nodes.slice();
    assert.equal(list.update([thing("c"), thing("a"), thing("b")]).structure, true);
    assert.deepEqual(new Set(list.nodes), new Set(before));
    assert.deepEqual(
      list.nodes.map((node) => node.key),
      ["c", "a", "b"],
    );
  });

  it("reports the structure when things come or go, and forgets those that went", () => {
    assert.equal(list.update([thing("a"), thing("b")]).structure, true);
    assert.equal(list.find("c"), undefined);
    assert.equal(list.update([thing("a"), thing("b"), thing("d")]).structure, true);
  });

  it("shows a thing once, however often it is named", () => {
    list.update([thing("a", 1), thing("a", 2)]);
    assert.deepEqual(
      list.nodes.map((node) => node.value),
      [thing("a", 1)],
    );
  });
});
