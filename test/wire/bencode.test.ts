import assert from "node:assert/strict";
import fc from "fast-check";
import { type BDict, type BValue, decode, decodeDictWithRaw, decodePrefix, encode } from "../../src/wire/bencode";
import { BUSY_MACHINE_MS, throwsCode } from "./support";

const text = (value: BValue) => Buffer.from(encode(value)).toString("latin1");
const bytes = (value: string) => Buffer.from(value, "latin1");
const refused = (value: string) => throwsCode("bad-bencode", () => decode(bytes(value)));

/** Values that one form on the wire can stand for: bigints only outside the safe integers. */
const arbitraryValue = fc.letrec<{ value: BValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.maxSafeInteger(),
    fc.oneof(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) })),
    fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b)),
    fc.array(tie("value"), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.uint8Array({ maxLength: 6 }), tie("value")), { maxLength: 5 })
      .map((entries): BDict => new Map(entries.map(([key, value]) => [Buffer.from(key).toString("latin1"), value]))),
  ),
})).value;

/** Maps compare by order too; what is decoded is sorted. */
function normalized(value: BValue): unknown {
  if (Object.is(value, -0)) return 0;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(normalized);
  if (value instanceof Map) {
    return [...value].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, normalized(item)]);
  }
  return value;
}

describe("bencode", function () {
  this.timeout(BUSY_MACHINE_MS);
  it("writes the examples of BEP 3", () => {
    assert.equal(text(bytes("spam")), "4:spam");
    assert.equal(text(3), "i3e");
    assert.equal(text(-3), "i-3e");
    assert.equal(text(0), "i0e");
    assert.equal(text(-0), "i0e");
    assert.equal(text([bytes("spam"), bytes("eggs")]), "l4:spam4:eggse");
    assert.equal(
      text(
        new Map([
          ["spam", bytes("eggs")],
          ["cow", bytes("moo")],
        ]),
      ),
      "d3:cow3:moo4:spam4:eggse",
    );
    assert.equal(text(new Map([["spam", [bytes("a"), bytes("b")]]])), "d4:spaml1:a1:bee");
  });

  it("reads the examples of BEP 3", () => {
    assert.deepEqual(decode(bytes("4:spam")), bytes("spam"));
    assert.deepEqual(decode(bytes("d4:spaml1:a1:bee")), new Map([["spam", [bytes("a"), bytes("b")]]]));
    assert.equal(decode(bytes("i-3e")), -3);
    assert.deepEqual(decode(bytes("le")), []);
    assert.deepEqual(decode(bytes("de")), new Map());
    assert.deepEqual(decode(bytes("0:")), bytes(""));
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(arbitraryValue, (value) => {
        assert.deepEqual(normalized(decode(encode(value))), normalized(value));
      }),
    );
  });

  it("accepts only bytes that it would write itself", () => {
    const soup = fc.array(fc.constantFrom(..."dlie:0123456789-ab".split("")), { maxLength: 14 });
    let accepted = 0;
    fc.assert(
      fc.property(soup, (parts) => {
        const input = parts.join("");
        let value: BValue;
        try {
          value = decode(bytes(input));
        } catch {
          return;
        }
        accepted++;
        assert.equal(text(value), input);
      }),
      { numRuns: 20_000, seed: 7 },
    );
    assert.ok(accepted > 50, `only ${accepted} inputs were accepted`);
  });

  it("refuses integers that are not canonical", () => {
    for (const value of ["i-0e", "i03e", "i-03e", "ie", "i-e", "i+3e", "i 3e", "i3", "i3x", "i1.5e", "i0x1e"])
      refused(value);
  });

  it("holds 64-bit integers and refuses longer ones, which would take quadratic time", () => {
    assert.equal(decode(bytes("i18446744073709551615e")), 2n ** 64n - 1n);
    assert.equal(decode(bytes("i9007199254740991e")), Number.MAX_SAFE_INTEGER);
    assert.equal(decode(bytes("i9007199254740992e")), 2n ** 53n);
    refused(`i${"9".repeat(21)}e`);
    refused(`i${"9".repeat(1_000_000)}e`);
  });

  it("refuses strings that are not canonical or longer than what is there", () => {
    for (const value of ["04:spam", "4spam", "5:spam", "-1:a", "4294967296:a", "99999999999:a", "4:", ":"])
      refused(value);
  });

  it("refuses dictionaries with keys unsorted, doubled, or not strings", () => {
    for (const value of ["d1:bi1e1:ai2ee", "d1:ai1e1:ai2ee", "di1ei2ee", "d1:ae", "d1:ai1e", "dle1:ae"]) refused(value);
  });

  it("sorts keys as raw bytes", () => {
    const dict = new Map<string, BValue>([
      ["\xff", 1],
      ["a", 2],
      ["B", 3],
      ["", 4],
      ["aa", 5],
    ]);
    assert.deepEqual([...(decode(encode(dict)) as BDict).keys()], ["", "B", "a", "aa", "\xff"]);
  });

  it("takes unsorted keys from other clients where the caller says so, but none twice", () => {
    const options = { anyOrder: true };
    assert.deepEqual(
      decode(bytes("d1:bi1e1:ai2ee"), options),
      new Map([
        ["b", 1],
        ["a", 2],
      ]),
    );
    throwsCode("bad-bencode", () => decode(bytes("d1:bi1e1:ai2e1:bi1ee"), options));
  });

  it("refuses bytes after the value, unless a prefix is asked for", () => {
    refused("i1ei2e");
    refused("de ");
    assert.deepEqual(decodePrefix(bytes("d1:ai1eerest")), { value: new Map([["a", 1]]), length: 8 });
  });

  it("refuses every cut of a value", () => {
    const whole = "d1:ad1:bl3:xyzi-12eee1:cle1:d0:e";
    decode(bytes(whole));
    for (let length = 0; length < whole.length; length++) refused(whole.slice(0, length));
  });

  it("bounds depth, so that nesting cannot exhaust the stack", () => {
    refused("l".repeat(1_000_000));
    refused(`${"d1:a".repeat(1000)}de${"e".repeat(1000)}`);
    decode(bytes(`${"l".repeat(32)}${"e".repeat(32)}`));
    refused(`${"l".repeat(33)}${"e".repeat(33)}`);
    throwsCode("bad-bencode", () => decode(bytes("llee"), { maxDepth: 1 }));
  });

  it("bounds the count of values, which take far more memory than wire", () => {
    const many = bytes(`l${"de".repeat(500_000)}e`);
    const before = process.memoryUsage().heapUsed;
    throwsCode("bad-bencode", () => decode(many));
    assert.ok(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024);
    throwsCode("bad-bencode", () => decode(bytes("llelelee"), { maxValues: 3 }));
    decode(bytes("llelee"), { maxValues: 3 });
  });

  it("gives the raw bytes of a value of the outer dictionary only", () => {
    const { dict, raw } = decodeDictWithRaw(bytes("d1:ad4:infoi7ee4:infod1:xi1ee1:zi0ee"), "info");
    assert.equal(Buffer.from(raw).toString("latin1"), "d1:xi1ee");
    assert.equal(dict.size, 3);
    throwsCode("bad-bencode", () => decodeDictWithRaw(bytes("d1:ad4:infoi7eee"), "info"));
    throwsCode("bad-bencode", () => decodeDictWithRaw(bytes("le"), "info"));
    throwsCode("bad-bencode", () => decodeDictWithRaw(bytes("d4:infodeeX"), "info"));
  });

  it("does not copy strings out of the input", () => {
    const input = bytes("4:spam");
    const value = decode(input) as Uint8Array;
    assert.equal(value.buffer, input.buffer);
  });

  it("refuses to write what has no canonical form", () => {
    for (const value of [0.5, Number.NaN, 2 ** 53, new Map([["\u0100", 1]])] as BValue[]) {
      throwsCode("invalid-argument", () => encode(value));
    }
  });
});
