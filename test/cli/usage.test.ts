import assert from "node:assert/strict";
import { afterEach, describe, it } from "mocha";
import { parseRate } from "../../src/cli/options";
import { formatDuration, formatSize, jsonLine } from "../../src/cli/text";
import { endPrograms, streamlet, TEST_TIMEOUT_MS } from "./programs";

describe("usage of streamlet", function () {
  this.timeout(TEST_TIMEOUT_MS);
  afterEach(endPrograms);

  it("lists what works, and nothing else, on stdout with exit 0", async () => {
    const program = streamlet(["--help"]);
    assert.equal(await program.exit(), 0);
    const commands = program.lines
      .join("\n")
      .match(/^ {2}(\w+) (?=.*\[)/gm)
      ?.map((line) => line.trim());
    assert.deepEqual(commands, ["share", "list", "peers", "get", "play", "help"]);
    assert.equal(program.stderr, "");
  });

  it("prints its version", async () => {
    const program = streamlet(["--version"]);
    assert.equal(await program.exit(), 0);
    assert.match(program.lines[0] ?? "", /^\d+\.\d+\.\d+$/);
  });

  it("without a command shows the help on stderr and exits 2", async () => {
    const program = streamlet([]);
    assert.equal(await program.exit(), 2);
    assert.deepEqual(program.lines, []);
    assert.match(program.stderr, /Usage: streamlet/);
  });

  const wrong: [string, string[], RegExp][] = [
    ["an unknown command", ["fetch"], /unknown command 'fetch'/],
    ["an unknown option", ["list", "--bogus"], /unknown option '--bogus'/],
    ["a missing file", ["share"], /missing required argument/],
    ["a missing source", ["get"], /missing required argument/],
    ["too many sources", ["get", "a", "b"], /too many arguments/],
    ["one name for two files", ["share", "a.mp4", "b.mp4", "--name", "x"], /--name/],
    ["an audience that is none", ["share", "a.mp4", "--audience", "world"], /everyone, friends, public/],
    ["a port out of range", ["list", "--port", "65536"], /--port/],
    ["a port that is no number", ["list", "--port", "1e3"], /--port/],
    ["a Peer ID with a blank", ["list", "--peer-id", "a b"], /--peer-id/],
    ["a Peer ID of dots", ["list", "--peer-id", ".."], /--peer-id/],
    ["a tracker that is a web page", ["list", "--tracker", "http://localhost"], /--tracker/],
    ["a peer without a port", ["list", "--connect", "localhost"], /--connect/],
    ["a rate in bits", ["list", "--limit-up", "500kb"], /--limit-up/],
    ["a tracker and none", ["list", "--tracker", "localhost:1", "--no-tracker"], /contradict/],
    ["none and a tracker", ["list", "--no-tracker", "--tracker", "localhost:1"], /contradict/],
  ];
  for (const [what, args, sentence] of wrong) {
    it(`refuses ${what} with exit 2 and one line on stderr`, async () => {
      const program = streamlet(args);
      assert.equal(await program.exit(), 2);
      assert.deepEqual(program.lines, []);
      assert.match(program.stderr, /^streamlet: [^\n]+\n$/);
      assert.match(program.stderr, sentence);
    });
  }

  it("reports wrong usage as JSON as well when that was asked for", async () => {
    const program = streamlet(["get", "--json"]);
    assert.equal(await program.exit(), 2);
    assert.equal(program.all("error")[0]?.code, "invalid-argument");
  });
});

describe("a rate", () => {
  const rates: [string, number][] = [
    ["0", 0],
    ["1500", 1500],
    ["500k", 500_000],
    ["500K", 500_000],
    ["2M", 2_000_000],
    ["1.5MB/s", 1_500_000],
    ["1Mi", 1_048_576],
    ["64 KiB", 65_536],
    ["1GB", 1e9],
  ];
  for (const [text, expected] of rates) {
    it(`${text} is ${expected} bytes per second`, () => assert.equal(parseRate(text), expected));
  }
  for (const text of ["", "fast", "-1", "1.5.5", "500kb", "10 Mbit", "1e6", "0.0001", "999999999G", "k"]) {
    it(`"${text}" is none`, () => assert.throws(() => parseRate(text), { code: "commander.invalidArgument" }));
  }
});

describe("text on a terminal", () => {
  it("a JSON line holds no character that a terminal obeys or hides, and parses to the same", () => {
    const hostile = { name: "a\u001b[2J\u009b31m\u202egnp.exe\u2028\u007f\u{e0041}\u200b\ud800 ok: é 日本 👩\u200d💻" };
    const line = jsonLine(hostile);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2028\u2029]|[\u{e0000}-\u{e0fff}]/u);
    assert.match(line, /ok: é 日本 👩\u200d💻/);
    assert.deepEqual(JSON.parse(line), hostile);
  });

  it("sizes and lengths are short", () => {
    assert.deepEqual([0, 999, 1500, 99_950, 1e6, 123_456_789, 5e12].map(formatSize), [
      "0 B",
      "999 B",
      "1.5 kB",
      "100 kB",
      "1.0 MB",
      "123 MB",
      "5.0 TB",
    ]);
    assert.deepEqual([0, 83, 3723].map(formatDuration), ["0:00", "1:23", "1:02:03"]);
  });
});
