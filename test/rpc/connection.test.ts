import assert from "node:assert/strict";
import { MessageChannel } from "node:worker_threads";
import {
  createMessageConnection,
  type MessageConnection,
  PortMessageReader,
  PortMessageWriter,
} from "vscode-jsonrpc/node";
import * as z from "zod";
import { onEvent, proxy, type Schemas, sendEvent, serve } from "../../src/rpc/connection";
import { StreamletError } from "../../src/wire/errors";

interface Adder {
  add(a: number, b: number): Promise<number>;
  nothing(): Promise<void>;
  fail(): Promise<void>;
  failStrangely(): Promise<void>;
}
interface AdderEvents {
  onDidAdd(sum: { value: number }): void;
}

const SCHEMAS: Schemas<Adder> = {
  add: z.tuple([z.number(), z.number()]),
  nothing: z.tuple([]),
  fail: z.tuple([]),
  failStrangely: z.tuple([]),
};

const ADDER: Adder = {
  add: async (a, b) => a + b,
  nothing: async () => {},
  fail: async () => {
    throw new StreamletError("port-in-use", "Port 5000 is used.", { data: { port: 5000, nextFree: 5001 } });
  },
  failStrangely: async () => {
    throw new TypeError("x is not a function");
  },
};

describe("typed calls over a port", () => {
  let here: MessageConnection;
  let there: MessageConnection;
  let adder: Adder;

  beforeEach(() => {
    const { port1, port2 } = new MessageChannel();
    here = createMessageConnection(new PortMessageReader(port1), new PortMessageWriter(port1));
    there = createMessageConnection(new PortMessageReader(port2), new PortMessageWriter(port2));
    serve<Adder>(there, SCHEMAS, ADDER);
    adder = proxy<Adder>(here);
    here.listen();
    there.listen();
  });

  afterEach(() => {
    here.end();
    here.dispose();
    there.end();
    there.dispose();
  });

  it("answer with what the service answers", async () => {
    assert.equal(await adder.add(2, 3), 5);
    assert.equal(await adder.nothing(), undefined);
  });

  it("keep code, sentence and data of an error", async () => {
    await assert.rejects(adder.fail(), (error: unknown) => {
      assert.ok(error instanceof StreamletError);
      assert.equal(error.code, "port-in-use");
      assert.equal(error.message, "Port 5000 is used.");
      assert.deepEqual(error.data, { port: 5000, nextFree: 5001 });
      return true;
    });
  });

  it("turn an unexpected error into `internal` with its message", async () => {
    await assert.rejects(adder.failStrangely(), { code: "internal", message: "x is not a function" });
  });

  it("are refused when an argument is wrong, before the service sees it", async () => {
    const untyped = adder as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    for (const args of [[], [1], [1, "2"], [1, 2, 3], [null, null]]) {
      await assert.rejects(untyped.add!(...args), { code: "invalid-argument" });
    }
  });

  it("are refused when there is no such method", async () => {
    const untyped = adder as unknown as Record<string, () => Promise<unknown>>;
    await assert.rejects(untyped.subtract!());
  });

  it("reject as lost when the connection is disposed of meanwhile", async () => {
    const call = adder.add(1, 2);
    here.dispose();
    await assert.rejects(call, { code: "connection-lost" });
    await assert.rejects(adder.add(1, 2), { code: "connection-lost" });
  });

  it("leave a proxy that can be returned by an async function", async () => {
    const returned = await (async () => adder)();
    assert.equal(await returned.add(1, 1), 2);
  });

  it("carry events to whoever listens", async () => {
    const heard = new Promise<{ value: number }>((resolve) => {
      onEvent<AdderEvents, "onDidAdd">(here, "onDidAdd", resolve);
    });
    await sendEvent<AdderEvents, "onDidAdd">(there, "onDidAdd", { value: 7 });
    assert.deepEqual(await heard, { value: 7 });
  });
});
