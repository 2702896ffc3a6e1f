import assert from "node:assert/strict";
import { describe, it } from "mocha";
import {
  addressGroup,
  formatHostPort,
  localAddresses,
  parseHostPort,
  plainAddress,
  portAdvice,
} from "../../src/peer/net/addresses";

describe("addresses", () => {
  it("reads what a person types", () => {
    const cases: [string, string, number][] = [
      ["192.168.1.20:5000", "192.168.1.20", 5000],
      ["  alice.local:1 ", "alice.local", 1],
      ["localhost:65535", "localhost", 65535],
      ["[::1]:5000", "::1", 5000],
      ["[fe80::1%eth0]:5000", "fe80::1%eth0", 5000],
      ["my_host-2.example.:80", "my_host-2.example.", 80],
    ];
    for (const [text, host, port] of cases) assert.deepEqual(parseHostPort(text), { host, port }, text);
  });

  it("fills in the default port where one is given", () => {
    assert.deepEqual(parseHostPort("alice", 5000), { host: "alice", port: 5000 });
    assert.deepEqual(parseHostPort("[::1]", 5000), { host: "::1", port: 5000 });
    assert.deepEqual(parseHostPort("2001:db8::1", 5000), { host: "2001:db8::1", port: 5000 });
    assert.deepEqual(parseHostPort("alice:7", 5000), { host: "alice", port: 7 });
  });

  it("says what is wrong with anything else", () => {
    const cases: [string, RegExp][] = [
      ["", /host is missing/],
      ["alice", /port is missing/],
      [":5000", /host is missing/],
      ["alice:", /port must be a number/],
      ["alice:0", /port must be a number/],
      ["alice:65536", /port must be a number/],
      ["alice:5e3", /port must be a number/],
      ["alice:-1", /port must be a number/],
      ["alice:999999999999", /port must be a number/],
      ["::1:5000", /in brackets/],
      ["2001:db8::1", /in brackets/],
      ["[nonsense]:5000", /no IPv6 address/],
      ["[::1]5000", /in brackets|neither/],
      ["a b:5000", /neither a name nor/],
      ["http://alice:5000", /in brackets|neither/],
      ["256.1.1.1:5000", /neither a name nor/],
      ["1.2.3:5000", /neither a name nor/],
      ["alice/../bob:5000", /neither a name nor/],
      [`${"a".repeat(300)}:5000`, /neither a name nor/],
      ["al\u202eice:5000", /neither a name nor/],
    ];
    for (const [text, message] of cases) {
      assert.throws(() => parseHostPort(text), { code: "invalid-argument", message }, text);
    }
  });

  it("reads back what it writes", () => {
    for (const [host, port] of [
      ["127.0.0.1", 1],
      ["::1", 5000],
      ["alice.local", 65535],
    ] as const) {
      assert.deepEqual(parseHostPort(formatHostPort(host, port)), { host, port });
    }
  });

  it("shows an IPv4 peer of a dual-stack socket as IPv4", () => {
    assert.equal(plainAddress("::ffff:192.0.2.1"), "192.0.2.1");
    assert.equal(plainAddress("::FFFF:192.0.2.1"), "192.0.2.1");
    assert.equal(plainAddress("2001:db8::1"), "2001:db8::1");
    assert.equal(plainAddress(undefined), "");
  });

  it("counts the /64 of an IPv6 address as one party", () => {
    assert.equal(addressGroup("192.0.2.1"), "192.0.2.1");
    assert.equal(addressGroup("::ffff:192.0.2.1"), "192.0.2.1");
    assert.equal(addressGroup("2001:db8:0:1::5"), addressGroup("2001:0db8:0000:0001:ffff:ffff:ffff:ffff"));
    assert.equal(addressGroup("2001:DB8:0:1::5"), addressGroup("2001:db8:0:1::6"));
    assert.notEqual(addressGroup("2001:db8:0:1::5"), addressGroup("2001:db8:0:2::5"));
    assert.equal(addressGroup("fe80::1%eth0"), addressGroup("fe80::2"));
    assert.equal(addressGroup("::1"), "0:0:0:0::/64");
    assert.equal(addressGroup("64:ff9b::192.0.2.1"), "64:ff9b:0:0::/64");
  });

  it("lists this machine's addresses that others can use, IPv4 first", () => {
    const common = { netmask: "", mac: "", cidr: null };
    const v4 = (address: string, internal = false) => ({ ...common, address, internal, family: "IPv4" as const });
    const v6 = (address: string, internal = false) => ({
      ...common,
      address,
      internal,
      family: "IPv6" as const,
      scopeid: 0,
    });
    assert.deepEqual(
      localAddresses({
        lo: [v4("127.0.0.1", true), v6("::1", true)],
        eth0: [v6("2001:db8::5"), v6("fe80::1"), v4("192.168.1.20")],
        wlan0: [v4("169.254.3.4"), v4("10.0.0.7"), v4("192.168.1.20")],
        none: undefined,
      }),
      ["192.168.1.20", "10.0.0.7", "2001:db8::5"],
    );
    assert.ok(localAddresses().every((a) => a !== "127.0.0.1" && a !== "::1"));
  });

  it("warns of ports that the system keeps for itself", () => {
    assert.match(portAdvice(5000, "darwin") ?? "", /AirPlay/);
    assert.equal(portAdvice(5000, "linux"), undefined);
    assert.match(portAdvice(80, "linux") ?? "", /administrator/);
    assert.equal(portAdvice(80, "win32"), undefined);
    assert.match(portAdvice(6000, "linux") ?? "", /tracker/);
    assert.equal(portAdvice(0, "linux"), undefined);
  });
});
