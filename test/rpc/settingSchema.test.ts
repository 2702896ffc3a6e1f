import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { type SettingSchema, settingProblem, usableValue } from "../../src/rpc/settingSchema";

const manifest = JSON.parse(readFileSync(resolve("package.json"), "utf8")) as {
  contributes: { configuration: { properties: Record<string, SettingSchema> } };
};
const schemas = Object.entries(manifest.contributes.configuration.properties);

describe("a value of settings.json", () => {
  const rate: SettingSchema = { type: "number", default: 0, minimum: 0, maximum: 1000 };
  const count: SettingSchema = { type: "integer", default: 20, minimum: 1, maximum: 200 };

  it("is taken as it is where it can be used", () => {
    assert.equal(usableValue(rate, 12.5), 12.5);
    assert.equal(usableValue(count, 1), 1);
    assert.equal(usableValue({ type: "string", default: "auto", enum: ["auto", "dark"] }, "dark"), "dark");
    assert.deepEqual(usableValue({ type: "array", default: ["a"] }, []), []);
  });

  it("becomes the nearest one that is allowed where it is a number", () => {
    assert.equal(usableValue(rate, -5), 0);
    assert.equal(usableValue(rate, 1e300), 1000);
    assert.equal(usableValue(rate, Number.POSITIVE_INFINITY), 1000);
    assert.equal(usableValue(count, 0), 1);
    assert.equal(usableValue(count, 2.6), 3);
  });

  it("gives way to the default where it makes no sense", () => {
    for (const raw of ["many", null, undefined, Number.NaN, {}, [], true]) assert.equal(usableValue(count, raw), 20);
    assert.equal(usableValue({ type: "string", default: "auto", enum: ["auto"] }, "neon"), "auto");
    assert.equal(usableValue({ type: "string", default: "" }, "x".repeat(100_000)), "");
    assert.equal(usableValue({ type: "boolean", default: true }, "no"), true);
    assert.deepEqual(usableValue({ type: "array", default: ["a"] }, "b:1"), ["a"]);
  });

  it("loses what does not belong into a list, and keeps the rest", () => {
    assert.deepEqual(usableValue({ type: "array", default: [] }, ["a:1", 5, null, "b:2"]), ["a:1", "b:2"]);
  });

  it("is told why it cannot be used", () => {
    assert.equal(settingProblem(count, "5"), "notANumber");
    assert.equal(settingProblem(count, 1.5), "notWhole");
    assert.equal(settingProblem(count, 0), "tooSmall");
    assert.equal(settingProblem(count, 201), "tooLarge");
    assert.equal(settingProblem(count, 200), undefined);
  });

  it("whatever it is, gives one that every setting of package.json can use, and the defaults are such", () => {
    for (const [name, schema] of schemas) {
      assert.equal(settingProblem(schema, schema.default), undefined, name);
      fc.assert(
        fc.property(fc.anything(), (raw) => settingProblem(schema, usableValue(schema, raw)) === undefined),
        { numRuns: 200 },
      );
    }
  });
});
