import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import {
  type Joined,
  joinMeeting,
  loadSecret,
  MAX_SOCKET_PATH_BYTES,
  type Meeting,
  meetingAddress,
} from "../../src/ui/host/election";
import { greetFollower, greetOwner } from "../../src/ui/host/handshake";
import { tempDir } from "../helpers/tempDir";

const VERSION = 1;

function meetingIn(folder: string, changes: Partial<Meeting> = {}): Meeting {
  return { address: join(folder, "w.sock"), secret: Buffer.alloc(32, 7), version: VERSION, ...changes };
}

describe("the place where windows meet", () => {
  it("fits into a socket address whatever the folders are called", () => {
    const long = `/home/${"x".repeat(300)}/globalStorage/streamlet.streamlet`;
    for (const runtimeDir of [undefined, "/run/user/1000", `/var/folders/${"y".repeat(120)}/T`]) {
      const address = meetingAddress(long, { platform: "darwin", runtimeDir });
      assert.ok(Buffer.byteLength(address) <= MAX_SOCKET_PATH_BYTES, address);
    }
  });

  it("is a named pipe on Windows", () => {
    assert.match(
      meetingAddress("C:\\x", { platform: "win32", runtimeDir: undefined }),
      /^\\\\\.\\pipe\\streamlet-[0-9a-f]{16}$/,
    );
  });

  it("is another one for another installation", () => {
    assert.notEqual(meetingAddress("/a"), meetingAddress("/b"));
    assert.equal(meetingAddress("/a"), meetingAddress("/a"));
  });
});

describe("the secret of an installation", () => {
  it("is one for all windows that ask at once, and readable by its user alone", async () => {
    const file = join(tempDir("secret"), "windows.secret");
    const secrets = await Promise.all(Array.from({ length: 8 }, () => loadSecret(file)));
    assert.equal(new Set(secrets.map((secret) => secret.toString("hex"))).size, 1);
    assert.equal(secrets[0]?.length, 32);
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(await loadSecret(file), secrets[0]);
  });
});

describe("windows that meet", () => {
  const abort = new AbortController();
  let folder: string;
  let servers: Server[];
  let sockets: Socket[];

  beforeEach(() => {
    folder = tempDir("meeting");
    servers = [];
    sockets = [];
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  async function joinAs(meeting: Meeting): Promise<Joined> {
    const joined = await joinMeeting(
      meeting,
      (socket) => {
        sockets.push(socket);
        void greetFollower(socket, meeting.secret, meeting.version);
      },
      abort.signal,
    );
    if (joined.role === "owner") servers.push(joined.server);
    if (joined.role === "follower") sockets.push(joined.socket);
    return joined;
  }

  it("have one owner, however many come at once", async () => {
    const roles = (await Promise.all(Array.from({ length: 10 }, () => joinAs(meetingIn(folder))))).map(
      (joined) => joined.role,
    );
    assert.equal(roles.filter((role) => role === "owner").length, 1);
    assert.equal(roles.filter((role) => role === "follower").length, 9);
  });

  it("have a new owner when the old one has closed", async () => {
    const first = await joinAs(meetingIn(folder));
    assert.equal(first.role, "owner");
    await new Promise((resolve) => servers[0]?.close(resolve));
    assert.equal((await joinAs(meetingIn(folder))).role, "owner");
  });

  it("do not wait for the file of a dead owner, and make one new owner of many that come at once", async () => {
    const meeting = meetingIn(folder);
    await leaveDeadSocket(meeting.address);
    assert.ok(existsSync(meeting.address));
    const roles = (await Promise.all(Array.from({ length: 10 }, () => joinAs(meeting)))).map((joined) => joined.role);
    assert.equal(roles.filter((role) => role === "owner").length, 1);
    assert.equal(roles.filter((role) => role === "follower").length, 9);
  });

  it("tell each other when they are of different versions", async () => {
    await joinAs(meetingIn(folder));
    assert.deepEqual(await joinAs(meetingIn(folder, { version: VERSION + 1 })), {
      role: "none",
      reason: "otherVersion",
    });
  });

  it("let nobody in who does not know the secret, on either side", async () => {
    await joinAs(meetingIn(folder));
    const other = meetingIn(folder, { secret: Buffer.alloc(32, 8) });
    assert.deepEqual(await joinAs(other), { role: "none", reason: "stranger" });
  });

  it("keep the socket file to its user", async function () {
    if (process.platform === "win32") this.skip();
    await joinAs(meetingIn(folder));
    assert.equal(statSync(join(folder, "w.sock")).mode & 0o777, 0o600);
  });
});

describe("the greeting", () => {
  let server: Server;
  let address: string;
  let accepted: Promise<Socket>;

  beforeEach(async () => {
    address = join(tempDir("greeting"), "s");
    server = createServer();
    accepted = new Promise((resolve) => server.once("connection", resolve));
    await new Promise<void>((resolve) => server.listen(address, resolve));
  });
  afterEach(() => {
    server.close();
  });

  it("leaves bytes that follow it to whoever reads next", async () => {
    const secret = randomBytes(32);
    const client = connect(address);
    const greeted = greetOwner(client, secret, VERSION).then(() => client.write("after"));
    const socket = await accepted;
    assert.equal(await greetFollower(socket, secret, VERSION), "welcome");
    await greeted;
    const next = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    socket.resume();
    assert.equal(await next, "after");
    client.destroy();
    socket.destroy();
  });

  for (const [what, bytes] of [
    ["nonsense", "GET / HTTP/1.1\r\n\r\n"],
    ["a line without end", "x".repeat(5000)],
    ["JSON that is not an object", "42\n"],
    ["an object without a nonce", `{"version":${VERSION}}\n`],
    ["a nonce of the wrong length", `{"version":${VERSION},"nonce":"ab"}\n`],
  ] as const) {
    it(`takes ${what} for a stranger and hangs up`, async () => {
      const client = connect(address);
      const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
      client.on("error", () => undefined).on("data", () => undefined);
      client.write(bytes);
      assert.equal(await greetFollower(await accepted, randomBytes(32), VERSION), "stranger");
      await closed;
    });
  }

  it("takes a side that hangs up for a stranger", async () => {
    connect(address).end();
    assert.equal(await greetFollower(await accepted, randomBytes(32), VERSION), "stranger");
  });
});

/** What a killed process leaves: a socket file that nobody listens on. */
async function leaveDeadSocket(address: string): Promise<void> {
  const { spawnSync } = await import("node:child_process");
  const script = `require("node:net").createServer().listen(${JSON.stringify(address)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
}
