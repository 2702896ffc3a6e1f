import assert from "node:assert/strict";
import { Pipeline } from "../../src/peer/swarm/pipeline";
import { BLOCK_BYTES } from "../../src/wire/constants";

const MIB = 1024 * 1024;

/** A pipeline whose probing is over: answers have waited in a queue. */
function settled(roundTripMs: number): Pipeline {
  const pipeline = new Pipeline();
  pipeline.onRoundTrip(roundTripMs);
  for (let i = 0; i < 4; i++) pipeline.onAnswer(roundTripMs + 1_000, BLOCK_BYTES);
  return pipeline;
}

describe("What is under way to a peer", () => {
  it("is its rate times the round trip and 0.2 s, in requests of 50 ms", () => {
    const pipeline = settled(50);
    const target = pipeline.target(1_250_000);
    assert.equal(Math.round(target), 312_500);
    assert.equal(pipeline.requestBlocks(target, MIB), 3, "62.5 kB a request");
  });

  it("is a few single blocks on a line that carries next to nothing", () => {
    const pipeline = settled(50);
    assert.equal(pipeline.target(10_000), 4 * BLOCK_BYTES);
    assert.equal(pipeline.requestBlocks(pipeline.target(10_000), MIB), 1);
  });

  it("is at most a third of the piece memory, in requests of at most what the peer takes", () => {
    const pipeline = settled(1);
    assert.equal(pipeline.target(1e9), 16 * MIB);
    assert.equal(pipeline.requestBlocks(pipeline.target(1e9), MIB), 64);
    assert.equal(pipeline.requestBlocks(pipeline.target(1e9), BLOCK_BYTES), 1, "16 KiB for other clients");
  });

  it("begins with 64 KiB in single blocks, and doubles while answers come without delay", () => {
    const pipeline = new Pipeline();
    assert.equal(pipeline.target(0), 64 * 1024);
    assert.equal(pipeline.requestBlocks(pipeline.target(0), MIB), 1);
    pipeline.onRoundTrip(50);
    assert.equal(pipeline.requestBlocks(pipeline.target(0), MIB), 1);
    let rounds = 0;
    for (; pipeline.target(0) < 8 * MIB; rounds++) pipeline.onAnswer(60, pipeline.target(0));
    assert.ok(rounds <= 7, `${rounds} round trips`);
  });

  it("does not grow by answers that have waited in a queue: a slot of a slow line would hold several pieces open", () => {
    const pipeline = new Pipeline();
    pipeline.onRoundTrip(50);
    for (let i = 0; i < 3; i++) pipeline.onAnswer(500, BLOCK_BYTES);
    assert.ok(pipeline.probing);
    assert.equal(pipeline.target(30_000), 64 * 1024);
  });

  it("grows no more once several answers in a row have waited in a queue", () => {
    const pipeline = new Pipeline();
    for (const ms of [50, 200, 300, 200, 60, 200, 200, 200]) pipeline.onAnswer(ms, 64 * 1024);
    assert.ok(pipeline.probing);
    pipeline.onAnswer(50 + 150, 64 * 1024);
    assert.ok(!pipeline.probing);
    pipeline.onAnswer(50, 64 * 1024);
    assert.equal(pipeline.target(0), 4 * BLOCK_BYTES);
  });

  it("knows the round trip by the quickest answer, whatever queues did to the others", () => {
    const pipeline = new Pipeline();
    for (const ms of [900, 70, 300]) pipeline.onAnswer(ms, BLOCK_BYTES);
    assert.equal(pipeline.roundTripMs, 70);
  });
});
