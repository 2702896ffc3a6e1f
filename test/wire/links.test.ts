import assert from "node:assert/strict";
import fc from "fast-check";
import { StreamletError } from "../../src/wire/errors";
import { formatLink, formatMagnet, isHostPort, type LinkParts, parseLink, parseMagnet } from "../../src/wire/links";
import type { Fingerprint, VideoId } from "../../src/wire/types";
import { BUSY_MACHINE_MS, chance, mutate, throwsCode, torrentFacts } from "./support";

const ID = "ab".repeat(32) as VideoId;
const ROOT = "cd".repeat(32);
const OWNER = "ef".repeat(32) as Fingerprint;
const CONTENT = { piecesRoot: ROOT, length: 5_000_000, pieceLength: 262_144 };
const FULL: LinkParts = {
  id: ID,
  ...CONTENT,
  owner: OWNER,
  hosts: ["192.168.1.5:5000", "[fe80::1]:5000", "alice.example:5000"],
  trackers: ["localhost:6000", "wss://tracker.example:443"],
  time: 83,
};

const hex64 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));

describe("links", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("look as product.md says", () => {
    const plain = { ...FULL, hosts: ["192.168.1.5:5000"], trackers: ["localhost:6000"] };
    assert.equal(
      formatLink(plain),
      `vscode://streamlet.streamlet/v/${ID}?r=${ROOT}&l=5000000&p=262144&o=${OWNER}&h=192.168.1.5:5000&t=localhost:6000#t=83`,
    );
    assert.equal(formatLink({ id: ID }), `vscode://streamlet.streamlet/v/${ID}`);
  });

  it("are read back, of every editor", () => {
    for (const scheme of ["vscode", "vscode-insiders", "vscodium", "cursor", "code-oss"]) {
      assert.deepEqual(parseLink(formatLink({ ...FULL, scheme })), { scheme, ...FULL });
    }
    assert.deepEqual(parseLink(formatLink({ id: ID })), { scheme: "vscode", id: ID, hosts: [], trackers: [] });
  });

  it("are read back whatever they hold", () => {
    const parts = fc.record(
      {
        id: hex64 as fc.Arbitrary<VideoId>,
        owner: hex64 as fc.Arbitrary<Fingerprint>,
        hosts: fc.array(fc.constantFrom("a:1", "10.0.0.1:65535", "[::1]:5000", "x-y.z_w:80"), { maxLength: 16 }),
        trackers: fc.array(fc.constantFrom("localhost", "a:6000", "ws://h:1", "wss://h", "[::1]:6000"), {
          maxLength: 16,
        }),
        time: fc.nat(864_000_000).map((ms) => ms / 1000),
      },
      { requiredKeys: ["id", "hosts", "trackers"], noNullPrototype: true },
    );
    fc.assert(
      fc.property(parts, fc.boolean(), (some, whole) => {
        const value = whole ? { ...some, ...CONTENT } : some;
        assert.deepEqual(parseLink(formatLink(value)), { scheme: "vscode", ...value });
      }),
    );
  });

  it("never hold a tracker's token, whoever made them", () => {
    const link = formatLink({ id: ID, trackers: ["host:6000?token=secret", "wss://host:443/?token=secret"] });
    assert.ok(!link.includes("secret"));
    const smuggled = Buffer.from("ws://host:6000?token=secret").toString("base64url");
    assert.deepEqual(parseLink(`vscode://streamlet.streamlet/v/${ID}?t=${smuggled}`).trackers, ["ws://host:6000"]);
    assert.deepEqual(parseLink(`vscode://streamlet.streamlet/v/${ID}?t=host:6000?token=secret`).trackers, [
      "host:6000",
    ]);
  });

  it("survive blanks around them, upper case, and an editor that escapes their separators", () => {
    const link = formatLink({ ...FULL, scheme: "vscode" });
    const expected = { scheme: "vscode", ...FULL };
    assert.deepEqual(parseLink(`  ${link}\n`), expected);
    assert.deepEqual(
      parseLink(
        link.replace("vscode://streamlet.streamlet", "VSCode://Streamlet.Streamlet").replace(ID, ID.toUpperCase()),
      ),
      expected,
    );
    const [head, query, time] = link.split(/[?#]/);
    assert.deepEqual(parseLink(`${head}?${encodeURIComponent(query as string)}#${time}`), expected);
    assert.deepEqual(parseLink(link.replaceAll(":5000", "%3A5000")), expected);
  });

  it("skip parameters of later versions", () => {
    assert.deepEqual(parseLink(`vscode://streamlet.streamlet/v/${ID}?zz=1&constructor=x&__proto__=y&l`).hosts, []);
  });

  it("are refused where they are not ours or a part is malformed", () => {
    const base = `vscode://streamlet.streamlet/v/${ID}`;
    for (const link of [
      "",
      "x",
      "https://example.com/",
      `vscode://other.extension/v/${ID}`,
      `vscode://streamletXstreamlet/v/${ID}`,
      "vscode://streamlet.streamlet/v/abc",
      `vscode://streamlet.streamlet/x/${ID}`,
      `${base}0`,
      `${base}/../../x`,
      `${base}?r=zz`,
      `${base}?r=${ROOT}`,
      `${base}?l=5&p=262144`,
      `${base}?r=${ROOT}&l=0&p=262144`,
      `${base}?r=${ROOT}&l=1e9&p=262144`,
      `${base}?r=${ROOT}&l=-5&p=262144`,
      `${base}?r=${ROOT}&l=99999999999999999999&p=262144`,
      `${base}?r=${ROOT}&l=5&p=300000`,
      `${base}?r=${ROOT}&l=5&p=1`,
      `${base}?r=${ROOT}&l=17592186044416&p=16384`,
      `${base}?o=abc`,
      `${base}?h=nohost`,
      `${base}?h=a:0`,
      `${base}?h=a:65536`,
      `${base}?h=a:05`,
      `${base}?h=[::1:5000`,
      `${base}?h=[zz]:5`,
      `${base}?h=a%20b:5`,
      `${base}?h=user@host:5`,
      `${base}?h=a/b:5`,
      `${base}?t=http://x/`,
      `${base}?t=ws://user:pw@x`,
      `${base}?t=%00`,
      `${base}?h=%zz`,
      `${base}?h=%ff`,
      `${base}#t=x`,
      `${base}#t=-1`,
      `${base}#t=1e3`,
      `${base}#x`,
      `${base}#t=9999999`,
      `${base}?${"h=a:1&".repeat(17)}`,
      `${base}?${"t=a:1&".repeat(17)}`,
      `${base}?x=${"y".repeat(10_000)}`,
      `\u202e${base}`,
    ]) {
      throwsCode("bad-link", () => parseLink(link));
    }
    throwsCode("bad-link", () => parseLink("x".repeat(10_000_000)));
  });

  it("are not made of what is no address, and drop what is too many", () => {
    throwsCode("invalid-argument", () => formatLink({ id: "x" as VideoId }));
    throwsCode("invalid-argument", () => formatLink({ id: ID, scheme: "no scheme" }));
    throwsCode("invalid-argument", () => formatLink({ id: ID, hosts: ["a b:1"] }));
    throwsCode("invalid-argument", () => formatLink({ id: ID, trackers: ["http://x"] }));
    const many = Array.from({ length: 40 }, (_, i) => `h${i}:5000`);
    const link = parseLink(formatLink({ id: ID, hosts: many, trackers: many }));
    assert.deepEqual([link.hosts.length, link.trackers.length], [16, 16]);
  });

  it("are refused or read after any mutation, never worse", () => {
    const next = chance(17);
    const bytes = Buffer.from(formatLink(FULL));
    const magnet = Buffer.from(
      formatMagnet({ id: ID, v1: "12".repeat(20), name: "a b.mp4", trackers: ["http://t/"], peers: ["a:1"] }),
    );
    for (let i = 0; i < 10_000; i++) {
      for (const [read, original] of [
        [parseLink, bytes],
        [parseMagnet, magnet],
      ] as const) {
        try {
          read(mutate(original, next).toString("latin1"));
        } catch (error) {
          assert.ok(error instanceof StreamletError && error.code === "bad-link", String(error));
        }
      }
    }
  });

  it("name hosts and ports", () => {
    for (const text of ["a:1", "1.2.3.4:65535", "[::1]:80", "[2001:db8::1]:5000", "my_host-1.local:5000"])
      assert.ok(isHostPort(text), text);
    for (const text of [
      "a",
      "a:",
      ":5",
      "a:0",
      "a:65536",
      "a:-1",
      "a:1 ",
      "::1:80",
      "[::1]",
      "1.2.3.999:5",
      "a:1/x",
      "-a:1",
      "[1.2.3.4]:5",
    ]) {
      assert.ok(!isHostPort(text), text);
    }
  });
});

describe("magnets", function () {
  this.timeout(BUSY_MACHINE_MS);
  for (const [name, facts] of Object.entries(torrentFacts())) {
    it(`of libtorrent are read, and ours name the same torrent: ${name}`, () => {
      const magnet = parseMagnet(facts.magnet);
      assert.equal(magnet.id, facts.id ?? undefined);
      assert.equal(magnet.v1, facts.v1 ?? undefined);
      assert.equal(magnet.name, facts.fileName);
      assert.deepEqual(magnet.trackers, facts.trackers);
      assert.deepEqual(parseMagnet(formatMagnet(magnet)), magnet);
    });
  }

  it("have both info-hashes of a hybrid, BEP 9 and BEP 52", () => {
    assert.equal(
      formatMagnet({
        id: ID,
        v1: "12".repeat(20),
        name: "a & b.mp4",
        length: 5,
        trackers: ["http://t:6000/announce"],
        peers: ["1.2.3.4:5000", "[::1]:5000"],
      }),
      `magnet:?xt=urn:btih:${"12".repeat(20)}&xt=urn:btmh:1220${ID}&dn=a%20%26%20b.mp4&xl=5&tr=http%3A%2F%2Ft%3A6000%2Fannounce&x.pe=1.2.3.4:5000&x.pe=[::1]:5000`,
    );
  });

  it("are read back as they were written", () => {
    const parts = fc.record(
      {
        id: hex64 as fc.Arbitrary<VideoId>,
        v1: hex64.map((hash) => hash.slice(0, 40)),
        name: fc.string({ unit: "grapheme-ascii", minLength: 1 }).map((text) => text.trim() || "x"),
        length: fc.nat(),
        trackers: fc.uniqueArray(fc.constantFrom("http://a/announce", "udp://b:80/x?y=1&z=ü", "wss://[::1]:7/")),
        peers: fc.uniqueArray(fc.constantFrom("a:1", "[::1]:2", "1.2.3.4:3")),
      },
      { requiredKeys: ["id", "trackers", "peers"], noNullPrototype: true },
    );
    fc.assert(fc.property(parts, (magnet) => assert.deepEqual(parseMagnet(formatMagnet(magnet)), magnet)));
  });

  it("take the old base32 form, numbered keys and any case", () => {
    const v1 = "0123456789abcdef0123456789abcdef01234567";
    const base32 = "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH";
    assert.equal(parseMagnet(`magnet:?xt=urn:btih:${base32}`).v1, v1);
    assert.equal(parseMagnet(`magnet:?xt=urn:btih:${base32.toLowerCase()}`).v1, v1);
    const both = parseMagnet(
      `MAGNET:?xt.1=urn:btih:${v1.toUpperCase()}&xt.2=URN:BTMH:1220${ID.toUpperCase()}&tr.1=udp://a:1`,
    );
    assert.deepEqual(both, { v1, id: ID, trackers: ["udp://a:1"], peers: [] });
  });

  it("skip what is malformed or too many around the hash", () => {
    const flood = Array.from({ length: 200 }, (_, i) => `&tr=http://t${i}/&x.pe=h${i}:1`).join("");
    const magnet = parseMagnet(
      `magnet:?xt=urn:btmh:1220${ID}&xl=-5&xl=x&tr=javascript:alert(1)&x.pe=nohost&ws=http://x&so=0-2${flood}`,
    );
    assert.equal(magnet.length, undefined);
    assert.equal(magnet.trackers.length, 64);
    assert.equal(magnet.peers.length, 16);
    assert.ok(magnet.trackers.every((url) => url.startsWith("http://t")));
  });

  it("have a name that can be shown", () => {
    assert.equal(parseMagnet(`magnet:?xt=urn:btmh:1220${ID}&dn=a%E2%80%AEb%07%0Ac`).name, "ab c");
  });

  it("are refused without one info-hash that is BitTorrent's, or with two of a kind", () => {
    const v1 = "12".repeat(20);
    for (const text of [
      "",
      "magnet:",
      "magnet:?",
      "http://x",
      "magnet:?dn=x",
      `magnet:?xt=urn:sha1:${v1}`,
      `magnet:?xt=urn:btih:${v1}0`,
      `magnet:?xt=urn:btmh:1114${v1}`,
      `magnet:?xt=urn:btmh:${ID}`,
      `magnet:?xt=urn:btih:${v1}&xt=urn:btih:${"34".repeat(20)}`,
      `magnet:?xt=urn:btmh:1220${ID}&xt=urn:btmh:1220${ROOT}`,
      `magnet:?xt=urn:btih:${v1}&x=${"y".repeat(9000)}`,
    ]) {
      throwsCode("bad-link", () => parseMagnet(text));
    }
    throwsCode("invalid-argument", () => formatMagnet({ name: "x" }));
  });
});
