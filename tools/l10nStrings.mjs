// What people read in the extension's own language, taken from the sources, and how translations differ from it. Pure.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A call of `l10n.t`, or of the `t` that panels take out of `vscode.l10n`. */
const CALL = /(?:\bl10n\.|(?<![\w$.]))t\(\s*/g;
const LITERAL = /"(?:[^"\\\n]|\\.)*"/y;
const AFTER = /\s*[,)]/y;

/**
 * The texts of every `l10n.t` in src/ui and src/extension.ts, which are the keys of translations too.
 *
 * @param {string} root the project's folder
 * @returns {Record<string, string>} sorted, each text with itself
 * @throws {Error} at a call whose text is no literal: VS Code could not translate it
 */
export function stringsOfSources(root) {
  const found = new Set();
  const files = readdirSync(join(root, "src", "ui"), { recursive: true })
    .map((file) => join("src", "ui", String(file)))
    .concat(join("src", "extension.ts"));
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const source = readFileSync(join(root, file), "utf8");
    if (!/\bl10n\b/.test(source)) continue;
    for (const call of source.matchAll(CALL)) found.add(literalAt(source, call.index + call[0].length, file));
  }
  return Object.fromEntries([...found].sort().map((text) => [text, text]));
}

function literalAt(source, at, file) {
  LITERAL.lastIndex = at;
  const literal = LITERAL.exec(source)?.[0];
  AFTER.lastIndex = LITERAL.lastIndex;
  if (literal === undefined || !AFTER.test(source)) {
    const line = source.slice(0, at).split("\n").length;
    throw new Error(`${file}:${line}: l10n.t takes one string literal first`);
  }
  return JSON.parse(literal);
}

/**
 * What is wrong with a translation: missing and unknown keys, empty texts, and placeholders or links that differ.
 *
 * @param {Record<string, string>} english
 * @param {Record<string, string>} translated
 * @returns {string[]}
 */
export function faultsOf(english, translated) {
  const faults = [];
  for (const key of Object.keys(translated)) if (!(key in english)) faults.push(`unknown: ${key}`);
  for (const [key, text] of Object.entries(english)) {
    const other = translated[key];
    if (other === undefined) faults.push(`missing: ${key}`);
    else if (other.trim() === "") faults.push(`empty: ${key}`);
    else if (fixedParts(text) !== fixedParts(other)) faults.push(`other placeholders, icons or commands: ${key}`);
  }
  return faults;
}

/** What a translation has to keep: {0}, $(icon), (command:id); in any order, each as often. */
function fixedParts(text) {
  return (text.match(/\{\d+\}|\$\([a-z~-]+\)|\(command:[^)]+\)/g) ?? []).sort().join(" ");
}
