import assert from "node:assert/strict";
import fc from "fast-check";
import { type Batch, DesiredState } from "../../src/peer/tracker/desiredState";
import { MAX_IDS_PER_MESSAGE, MAX_PEER_FRAME_BYTES, MAX_RECORDS_PER_MESSAGE } from "../../src/wire/trackerMessages";
import type { VideoId } from "../../src/wire/types";

const id = (n: number): VideoId => n.toString(16).padStart(64, "0") as VideoId;
const signed = (n: number, text = `record ${n}`) => ({ id: id(n), record: Buffer.from(text) });

function accept(batch: Batch | undefined): Batch["message"] {
  assert.ok(batch);
  const { message } = batch;
  batch.onAnswer(message.type === "announce" ? [] : message.records.map(() => ({})));
  return message;
}

function drain(state: DesiredState): Batch["message"][] {
  const messages: Batch["message"][] = [];
  for (let batch = state.next(); batch; batch = state.next()) messages.push(accept(batch));
  return messages;
}

describe("What a tracker shall know", () => {
  let state: DesiredState;
  beforeEach(() => {
    state = new DesiredState();
    state.restart();
  });

  it("is told once: records first, then announcements, the last of which says that it is complete", () => {
    state.setPublished([signed(1), signed(2)]);
    state.setAnnounced({ have: [id(1), id(2)], want: [id(2), id(3)] });
    const messages = drain(state);
    assert.deepEqual(
      messages.map(({ type }) => type),
      ["publish", "announce"],
    );
    const announced = messages[1];
    assert.ok(announced?.type === "announce" && announced.complete);
    assert.deepEqual([announced.have, announced.want, announced.gone], [[id(1), id(2)], [id(2), id(3)], []]);
    assert.equal(state.next(), undefined);
    assert.ok(state.isAcknowledged(id(1)) && !state.isAcknowledged(id(3)));
  });

  it("is not told in parts: nothing before all of it is set", () => {
    state.setAnnounced({ have: [id(1)], want: [] });
    assert.equal(state.next(), undefined);
  });

  it("is complete also when there is nothing to tell", () => {
    state.setPublished([]);
    assert.deepEqual(drain(state), [{ type: "announce", have: [], want: [], gone: [], complete: true }]);
  });

  it("is not complete while a record is unanswered", () => {
    state.setPublished([signed(1)]);
    const batch = state.next();
    assert.equal(state.next(), undefined);
    accept(batch);
    const last = state.next()?.message;
    assert.ok(last?.type === "announce" && last.complete);
  });

  it("is told again after a reconnect, and answers of the old connection count for nothing", () => {
    state.setPublished([signed(1)]);
    const old = state.next();
    state.restart();
    old?.onAnswer([{}]);
    assert.ok(!state.isAcknowledged(id(1)));
    old?.onFailure();
    assert.equal(drain(state)[0]?.type, "publish");
    state.restart();
    assert.ok(!state.isAcknowledged(id(1)));
    assert.equal(drain(state)[0]?.type, "publish");
  });

  it("is told only what has changed", () => {
    state.setPublished([signed(1), signed(2)]);
    state.setAnnounced({ have: [id(1)], want: [] });
    drain(state);
    state.setPublished([signed(1), signed(2, "renewed")]);
    state.setAnnounced({ have: [id(1)], want: [] });
    assert.ok(!state.isAcknowledged(id(2)));
    const [message, ...rest] = drain(state);
    assert.deepEqual(rest, []);
    assert.ok(message?.type === "publish");
    assert.deepEqual(message.records, [Buffer.from("renewed").toString("base64")]);
  });

  it("withdraws what is to be withdrawn, unless it is published again", () => {
    state.setPublished([signed(1)]);
    drain(state);
    state.setWithdrawn([signed(1, "withdrawal")]);
    state.setPublished([]);
    assert.deepEqual(
      drain(state).map(({ type }) => type),
      ["withdraw"],
    );
    state.setPublished([signed(1, "again")]);
    assert.deepEqual(
      drain(state).map(({ type }) => type),
      ["publish"],
    );
  });

  it("does not repeat a record that was refused, until it changes", () => {
    state.setPublished([signed(1)]);
    const batch = state.next();
    const answered = batch?.onAnswer([{ error: { code: "refused-video", message: "no" } }]);
    assert.equal(answered?.[0]?.result.error?.code, "refused-video");
    assert.ok(!state.isAcknowledged(id(1)));
    drain(state);
    state.setPublished([signed(1)]);
    assert.equal(state.next(), undefined);
    state.setPublished([signed(1, "better")]);
    assert.equal(state.next()?.message.type, "publish");
  });

  it("repeats a message that failed", () => {
    state.setPublished([signed(1)]);
    state.setAnnounced({ have: [id(1), id(2)], want: [] });
    drain(state);
    state.setAnnounced({ have: [id(3)], want: [] });
    state.next()?.onFailure();
    const again = state.next()?.message;
    assert.ok(again?.type === "announce");
    assert.deepEqual([again.have, again.gone.sort()], [[id(3)], [id(1), id(2)]]);
  });

  it("is told in messages that a tracker takes, however much there is", () => {
    const many = Array.from({ length: 450 }, (_, n) => ({ id: id(n), record: Buffer.alloc(n < 50 ? 40_000 : 100, n) }));
    state.setPublished(many);
    state.setAnnounced({ have: Array.from({ length: 2_500 }, (_, n) => id(n)), want: [] });
    let records = 0;
    let have = 0;
    for (const message of drain(state)) {
      assert.ok(JSON.stringify({ ...message, request: 2 ** 31 - 1 }).length <= MAX_PEER_FRAME_BYTES);
      if (message.type === "announce") {
        assert.ok(message.have.length <= MAX_IDS_PER_MESSAGE);
        have += message.have.length;
      } else {
        assert.ok(message.records.length <= MAX_RECORDS_PER_MESSAGE);
        records += message.records.length;
      }
    }
    assert.deepEqual([records, have], [450, 2_500]);
  });

  it("ends up true at the tracker whatever fails in between", () => {
    const sets = fc.record({
      published: fc.uniqueArray(fc.nat(6)),
      have: fc.uniqueArray(fc.nat(6)),
      want: fc.uniqueArray(fc.nat(6)),
      outcomes: fc.array(fc.constantFrom("answer", "fail", "fail after", "reconnect", "wait"), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.array(sets, { minLength: 1, maxLength: 5 }), (steps) => {
        const model = new DesiredState();
        model.restart();
        let announced = new Map<string, string>();
        const records = new Set<string>();
        const apply = ({ message }: Batch) => {
          if (message.type !== "announce") for (const record of message.records) records.add(record);
          else {
            for (const hash of message.gone) announced.delete(hash);
            for (const hash of message.have) announced.set(hash, "have");
            for (const hash of message.want) announced.set(hash, message.have.includes(hash) ? "both" : "want");
          }
        };
        // A tracker takes messages in the order in which they were sent; its answers may come later.
        const waiting: Batch[] = [];
        const answer = ({ message, onAnswer }: Batch) => {
          onAnswer(message.type === "announce" ? [] : message.records.map(() => ({})));
        };
        const succeed = (batch: Batch) => {
          apply(batch);
          answer(batch);
        };
        for (const { published, have, want, outcomes } of steps) {
          model.setPublished(published.map((n) => signed(n)));
          model.setAnnounced({ have: have.map(id), want: want.map(id) });
          for (const outcome of outcomes) {
            if (outcome === "reconnect") {
              model.restart();
              announced = new Map();
              records.clear();
              waiting.length = 0;
              continue;
            }
            const batch = model.next();
            if (!batch) break;
            if (outcome === "wait") {
              apply(batch);
              waiting.push(batch);
              continue;
            }
            if (outcome === "answer") succeed(batch);
            else {
              if (outcome === "fail after") apply(batch);
              batch.onFailure();
            }
          }
        }
        for (const batch of waiting) answer(batch);
        for (let batch = model.next(); batch; batch = model.next()) succeed(batch);
        const last = steps.at(-1)!;
        const expected = new Map<string, string>(last.have.map((n) => [id(n), "have"]));
        for (const n of last.want) expected.set(id(n), expected.has(id(n)) ? "both" : "want");
        assert.deepEqual([...announced].sort(), [...expected].sort());
        for (const n of last.published) assert.ok(records.has(Buffer.from(`record ${n}`).toString("base64")));
      }),
      { numRuns: 500 },
    );
  });
});
