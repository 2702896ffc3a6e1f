// The table at the end.

const HEAD = { row: "row", what: "what", figure: "figure (least-most)", bar: "bar", ratio: "ratio", verdict: "" };
const COLUMNS = Object.keys(HEAD);

/** Prints every line as a row of a Markdown table, then what is missing in it and why. */
export function printTable({ lines, skipped, failed }) {
  const rows = lines.map((line) => ({ ...line, verdict: verdictOf(line) }));
  const widths = COLUMNS.map((column) => Math.max(...[HEAD, ...rows].map((row) => row[column].length)));
  const print = (row) => console.log(`| ${COLUMNS.map((column, i) => row[column].padEnd(widths[i])).join(" | ")} |`);
  console.log("");
  print(HEAD);
  console.log(`|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  for (const row of rows) print(row);
  for (const { row, what, why } of skipped) console.log(`skipped: ${row}: ${what}: ${why}`);
  for (const name of failed) console.log(`FAILED: ${name}`);
}

function verdictOf({ held, bar }) {
  if (held === undefined) return bar === "" ? "" : "not judged";
  return held ? "held" : "MISSED";
}
