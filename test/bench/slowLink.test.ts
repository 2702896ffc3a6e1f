import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { slowLink } from "../../bench/slowLink.mjs";

/** What a loaded machine adds; what a link takes off is never forgiven. */
const SLACK_MS = 60;
/** Timers and clocks agree within a millisecond. */
const EARLY_MS = 1;

/** Sends back what it gets. */
function startEcho(): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end());
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

describe("The emulated link", () => {
  let server: Server;
  let link: Awaited<ReturnType<typeof slowLink>>;
  let socket: Socket;

  async function open(options: { roundTripMs: number; bytesPerSecond?: number }): Promise<number> {
    server = await startEcho();
    link = await slowLink({ port: (server.address() as AddressInfo).port, ...options });
    const begun = performance.now();
    socket = connect(link.port, "127.0.0.1");
    socket.setNoDelay(true);
    await once(socket, "connect");
    return begun;
  }

  /** Milliseconds from `since` until `bytes` bytes have come back. */
  async function untilBack(bytes: number, since: number): Promise<number> {
    let got = 0;
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      got += (chunk as Buffer).length;
      if (got >= bytes) break;
    }
    return performance.now() - since;
  }

  function assertAbout(ms: number, expected: number): void {
    assert.ok(ms >= expected - EARLY_MS, `${ms} ms is too soon for ${expected} ms`);
    assert.ok(ms <= expected + SLACK_MS, `${ms} ms is too late for ${expected} ms`);
  }

  afterEach(async () => {
    socket.destroy();
    await link.close();
    server.close();
  });

  it("takes two round trips to connect and get a first answer, one for every further one", async () => {
    const begun = await open({ roundTripMs: 50 });
    socket.write("a");
    assertAbout(await untilBack(1, begun), 100);
    const again = performance.now();
    socket.write("b");
    assertAbout(await untilBack(1, again), 50);
  });

  it("carries so many bytes a second and no more, in both directions at once", async () => {
    const begun = await open({ roundTripMs: 20, bytesPerSecond: 500_000 });
    socket.write(Buffer.alloc(250_000));
    // There and back are two wires: the way back begins as soon as the first frame has come.
    assertAbout(await untilBack(250_000, begun), 20 + 20 + 500);
  });

  it("lets no burst through: the first half takes half of the time", async () => {
    const begun = await open({ roundTripMs: 0, bytesPerSecond: 1_000_000 });
    socket.write(Buffer.alloc(200_000));
    assertAbout(await untilBack(100_000, begun), 100);
  });

  it("shares its rate between connections", async () => {
    const begun = await open({ roundTripMs: 0, bytesPerSecond: 500_000 });
    const other = connect(link.port, "127.0.0.1");
    other.resume();
    socket.write(Buffer.alloc(50_000));
    other.write(Buffer.alloc(50_000));
    const mine = untilBack(50_000, begun);
    const theirs = once(other, "end").then(() => performance.now() - begun);
    other.end();
    assertAbout(Math.max(await mine, await theirs), 200);
    other.destroy();
  });

  it("stops a sender that is faster than it, with a queue of a tenth of a second", async () => {
    await open({ roundTripMs: 0, bytesPerSecond: 200_000 });
    socket.resume();
    socket.write(Buffer.alloc(16 * 1024 * 1024));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok(socket.writableLength > 0, "the sender still has some of it");
  });

  it("delivers what was under way when its sender closed, then the end", async () => {
    const begun = await open({ roundTripMs: 40 });
    socket.end("last words");
    let text = "";
    for await (const chunk of socket) text += chunk;
    assert.equal(text, "last words");
    assertAbout(performance.now() - begun, 80);
  });
});
