import { DEFAULT_LIMITS } from "../../tracker/limits";
import { MemoryStore } from "../../tracker/memoryStore";
import { forgetfulNames, NameBook } from "../../tracker/nameBook";
import { describeStore } from "./storeSuite";

describeStore("A store in memory", async (clock, limits) => {
  const all = { ...DEFAULT_LIMITS, ...limits };
  return new MemoryStore(await NameBook.open(forgetfulNames, all.names), clock, all);
});
