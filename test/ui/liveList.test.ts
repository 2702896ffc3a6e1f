import assert from "node:assert/strict";
import { LiveList, type LiveState, type Page } from "../../src/ui/views/liveList";
import type { ListChange } from "../../src/ui/views/nodeList";
import { PAGE_SIZE } from "../../src/ui/views/pages";

interface Thing {
  id: string;
  value: number;
}
const RUNNING: LiveState = { profileId: "a", phase: "running", revision: 1 };

describe("a list that the engine answers for", () => {
  let answer: Page<Thing>;
  let limits: number[];
  let changes: ListChange<Thing>[];
  let list: LiveList<Thing, object>;

  beforeEach(() => {
    answer = { values: [{ id: "x", value: 1 }], total: 1 };
    limits = [];
    changes = [];
    list = new LiveList<Thing, object>({
      keyOf: (thing) => thing.id,
      element: (node) => ({ node }),
      query: async (limit) => {
        limits.push(limit);
        return answer;
      },
      onChange: (change) => changes.push(change),
      onError: (error) => assert.fail(String(error)),
      accepts: (page) => page.total >= 0,
    });
  });
  const answered = async (count: number) => {
    while (limits.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setImmediate(resolve));
  };

  it("asks when the revision is another one, and only then", async () => {
    list.update(RUNNING);
    await answered(1);
    list.update(RUNNING);
    list.update({ ...RUNNING, revision: 2 });
    await answered(2);
    assert.equal(limits.length, 2);
    assert.equal(changes.length, 1, "the same answer changes nothing");
  });

  it("keeps one element for a row, and names the row alone when it changes", async () => {
    list.update(RUNNING);
    await answered(1);
    const [before] = list.elements;
    answer = { values: [{ id: "x", value: 2 }], total: 1 };
    list.update({ ...RUNNING, revision: 2 });
    await answered(2);
    assert.equal(list.elements[0], before);
    assert.deepEqual(
      changes.map(({ structure }) => structure),
      [true, false],
    );
  });

  it("a total that changes is a change of the structure, for the row that shows more", async () => {
    list.update(RUNNING);
    await answered(1);
    answer = { ...answer, total: 300 };
    list.update({ ...RUNNING, revision: 2 });
    await answered(2);
    assert.equal(changes[1]?.structure, true);
    assert.equal(list.rest, 299);
  });

  it("asks for one more page, and from the first again for another question", async () => {
    list.update(RUNNING);
    await answered(1);
    list.showMore();
    await answered(2);
    list.ask();
    await answered(3);
    assert.deepEqual(limits, [PAGE_SIZE, 2 * PAGE_SIZE, PAGE_SIZE]);
  });

  it("keeps what it shows while the same profile restarts, and asks the new engine", async () => {
    list.update(RUNNING);
    await answered(1);
    list.update({ ...RUNNING, phase: "starting", revision: 0 });
    assert.equal(list.values.length, 1);
    list.update(RUNNING);
    await answered(2);
  });

  it("is empty and unknown again when the profile stops or another one runs", async () => {
    for (const next of [
      { ...RUNNING, phase: "stopped" as const },
      { ...RUNNING, profileId: "b" },
    ]) {
      list.update(RUNNING);
      list.ask();
      await answered(limits.length);
      assert.equal(list.total, 1);
      list.update(next);
      assert.deepEqual([list.values, list.total], [[], undefined]);
    }
  });

  it("leaves what is shown where an answer comes too early", async () => {
    list.update(RUNNING);
    await answered(1);
    answer = { values: [], total: -1 };
    list.update({ ...RUNNING, revision: 2 });
    await answered(2);
    assert.equal(list.values.length, 1);
  });
});
