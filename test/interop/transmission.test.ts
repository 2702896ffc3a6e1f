import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { buildTorrent, parseTorrent } from "../../src/wire/metainfo";
import { randomFile, sha256OfFile } from "../helpers/randomFile";
import { skip } from "../helpers/skip";
import { tempDir } from "../helpers/tempDir";
import { finished, start, stopClients, TRANSFER_TIMEOUT_MS, whyNo, whyNoLibtorrent } from "./clients";

const SIZE = 2 * 1024 * 1024 + 99;
/** Programs of this project lie beside the bundled tests. */
const program = (name: string) => resolve(__dirname, `${name}.js`);
const POLL_MS = 200;

/**
 * transmission refuses peers on the loopback: it and Streamlet get a network namespace each, joined by a pair of virtual
 * devices, that exist for this test only. Version 3.00 cannot read hybrid torrents, libtorrent's neither (its bencode parser
 * refuses the empty key of a file tree), so it gets one of v1 only, which Streamlet has downloaded before; such a video has no
 * record, so a tracker of the test tells it where we are. It tries uTP first, which we do not speak, and takes minutes to give
 * up: that is switched off.
 */
class TwoHosts {
  readonly left = `st-left-${process.pid}`;
  readonly right = `st-right-${process.pid}`;
  /** TEST-NET-1 (RFC 5737): an address that is nobody's. */
  readonly leftAddress = "192.0.2.1";
  readonly rightAddress = "192.0.2.2";

  /** Why it cannot be done here; undefined where it is done. */
  open(): string | undefined {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces need root on Linux";
    if (whyNo("ip", "iproute2")) return whyNo("ip", "iproute2");
    const [a, b] = [`stl${process.pid}`, `str${process.pid}`];
    const steps = [
      ["netns", "add", this.left],
      ["netns", "add", this.right],
      ["link", "add", a, "netns", this.left, "type", "veth", "peer", "name", b, "netns", this.right],
      ["-n", this.left, "address", "add", `${this.leftAddress}/24`, "dev", a],
      ["-n", this.right, "address", "add", `${this.rightAddress}/24`, "dev", b],
      ["-n", this.left, "link", "set", a, "up"],
      ["-n", this.right, "link", "set", b, "up"],
      ["-n", this.left, "link", "set", "lo", "up"],
      ["-n", this.right, "link", "set", "lo", "up"],
    ];
    for (const step of steps) {
      const { status, stderr } = spawnSync("ip", step, { encoding: "utf8" });
      if (status !== 0) {
        this.close();
        return `network namespaces cannot be made here: ip ${step.join(" ")}: ${stderr.trim()}`;
      }
    }
    return undefined;
  }

  run(host: string, command: string, args: readonly string[]): ReturnType<typeof start> {
    return start("ip", ["netns", "exec", host, command, ...args]);
  }

  close(): void {
    for (const name of [this.left, this.right]) spawnSync("ip", ["netns", "delete", name]);
  }
}

/** Resolves with the first event of that name of a program that writes JSON lines. */
function eventOf({ child, output }: ReturnType<typeof start>, event: string): Promise<Record<string, unknown>> {
  return new Promise((done, reject) => {
    const timer = setTimeout(() => reject(new Error(`no "${event}" in time\n${output()}`)), TRANSFER_TIMEOUT_MS);
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const value = line.startsWith("{") ? (JSON.parse(line) as Record<string, unknown>) : {};
      if (value.event !== event) return;
      clearTimeout(timer);
      done(value);
    });
  });
}

describe("transmission", function () {
  this.timeout(90_000);
  const hosts = new TwoHosts();

  before(function () {
    const why = whyNo("transmission-cli", "transmission-cli") ?? whyNoLibtorrent() ?? hosts.open();
    if (why) skip(this, why);
  });
  afterEach(stopClients);
  after(() => hosts.close());

  for (const [what, encryption] of [
    ["magnet link", "--encryption-preferred"],
    [".torrent file", "--encryption-tolerated"],
  ] as const) {
    it(`downloads a v1 torrent that Streamlet has downloaded before, by ${what}, ${encryption}`, async () => {
      const folder = tempDir("transmission");
      const original = await randomFile(join(folder, "talk.mp4"), SIZE, 5);
      const other = await randomFile(join(folder, "other.mp4"), 50_000, 6);
      const torrent = join(folder, "talk.torrent");
      const { left, right, leftAddress } = hosts;
      const runNode = (...args: string[]) => hosts.run(left, process.execPath, args);
      const streamlet = (...args: string[]) =>
        runNode(
          program("streamlet"),
          ...args,
          "--json",
          "--no-tracker",
          "--data",
          join(folder, "bob"),
          "--peer-id",
          "Bob",
        );

      const seeder = hosts.run(left, "/usr/bin/python3", [resolve("test/interop/libtorrentClient.py")]);
      const create = { file: original, version: "v1" };
      seeder.child.stdin!.write(`${JSON.stringify({ save: folder, create })}\n`);
      const { port, torrent: content } = await eventOf(seeder, "ready");
      await writeFile(torrent, Buffer.from(String(content), "base64"));
      await finished(
        streamlet("get", torrent, "--out", join(folder, "got.mp4"), "--connect", `127.0.0.1:${port}`),
        "get",
      );
      seeder.child.stdin!.end();
      await rename(original, `${original}.away`);

      const share = streamlet("share", other, "--port", "5000");
      await eventOf(share, "shared");
      const tracker = runNode("-e", TRACKER, leftAddress, "5000");
      await eventOf(tracker, "ready");
      const save = join(folder, "out");
      const config = join(folder, "config");
      await mkdir(save);
      await mkdir(config);
      await writeFile(join(config, "settings.json"), SETTINGS);
      const announce = `http://${leftAddress}:${TRACKER_PORT}/announce`;
      const { info, infoBytes } = parseTorrent(Buffer.from(String(content), "base64"));
      await writeFile(torrent, buildTorrent({ infoBytes, announce: [announce] }));
      const magnet = `magnet:?xt=urn:btih:${info.v1}&tr=${encodeURIComponent(announce)}`;
      const client = hosts.run(right, "transmission-cli", [
        ...[
          "--config-dir",
          config,
          "--download-dir",
          save,
          "--no-portmap",
          encryption,
          what === "magnet link" ? magnet : torrent,
        ],
      ]);
      const wanted = await sha256OfFile(`${original}.away`);
      const file = join(save, "talk.mp4");
      const end = performance.now() + TRANSFER_TIMEOUT_MS;
      while (!existsSync(file) || (await sha256OfFile(file)) !== wanted) {
        assert.ok(performance.now() < end, `transmission did not finish\n${client.output()}\n${share.output()}`);
        await new Promise((tick) => setTimeout(tick, POLL_MS));
      }
    });
  }
});

const TRACKER_PORT = 6969;
const SETTINGS = JSON.stringify({ "dht-enabled": false, "lpd-enabled": false, "utp-enabled": false });

/** Names one peer, whoever asks. */
const TRACKER = `
const [host, port] = process.argv.slice(1);
const peer = Buffer.from([...host.split(".").map(Number), port >> 8, port & 255]);
const answer = Buffer.concat([Buffer.from("d8:intervali5e5:peers6:"), peer, Buffer.from("e")]);
require("node:http").createServer((_, response) => response.end(answer)).listen(${TRACKER_PORT}, host, () => {
  console.log(JSON.stringify({ event: "ready" }));
});
`;
