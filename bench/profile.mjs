// node bench/profile.mjs FOLDER [LINES]: where the time went, per thread, from the .cpuprofile files that `npm run bench -- --cpu-prof` left.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

const [folder, lines = "25"] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: node bench/profile.mjs FOLDER [LINES]");

/** Self time in milliseconds by function; V8 gives one sample per `timeDeltas` entry, in microseconds. */
function selfTimes(profile) {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map();
  profile.samples.forEach((node, index) => {
    const name = names.get(node);
    times.set(name, (times.get(name) ?? 0) + profile.timeDeltas[index] / 1000);
  });
  return [...times].sort((a, b) => b[1] - a[1]);
}

function nameOf({ functionName, url, lineNumber }) {
  const where = url === "" ? "" : ` ${basename(url)}:${lineNumber + 1}`;
  return `${functionName || "(anonymous)"}${where}`;
}

for (const file of readdirSync(folder, { recursive: true })
  .filter((name) => name.endsWith(".cpuprofile"))
  .sort()) {
  const times = selfTimes(JSON.parse(readFileSync(join(folder, file), "utf8")));
  const busy = times.filter(([name]) => name !== "(idle)").reduce((sum, [, ms]) => sum + ms, 0);
  console.log(`\n${file}: busy ${Math.round(busy)} ms`);
  for (const [name, ms] of times.slice(0, Number(lines))) {
    console.log(`${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / busy).toFixed(1).padStart(5)} %  ${name}`);
  }
}
