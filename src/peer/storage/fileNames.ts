import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";

/** File systems allow 255 bytes (or UTF-16 units); the rest is for " (2)", ".part" and the like. */
const MAX_NAME_BYTES = 200;
/** Longer ones are no extensions, but names with a dot in them. */
const EXTENSION = /^(.*?)(\.[A-Za-z0-9]{1,10})?$/su;
/**
 * What cannot be seen, or reverses what is seen (`gpj.exe` shown as `exe.jpg`): control, format (but the two joiners, which scripts and
 * emoji need), unpaired surrogates, line and paragraph separators.
 */
const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Not allowed on Windows; `:` would name an alternate data stream there. */
const FORBIDDEN = /[<>:"|?*]/g;
/** Devices on Windows, with any extension and in any case ("Naming Files, Paths, and Namespaces"). */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)/i;

/**
 * A name that is safe on every platform, never a path and never hidden, at most 200 bytes of UTF-8 with its extension kept; `fallback`
 * (+ extension) where nothing usable is left.
 */
export function safeFileName(untrusted: string, fallback = "video"): string {
  const last = untrusted.split(/[/\\]/).findLast((part) => !/^[.\s]*$/.test(part)) ?? "";
  const visible = last.normalize("NFC").replace(INVISIBLE, "").replace(FORBIDDEN, "_").replace(/\s+/g, " ");
  const [, rawStem = "", extension = ""] = EXTENSION.exec(visible.replace(/[. ]+$/, "")) ?? [];
  let stem = rawStem.replace(/^[. ]+/, "").trimEnd();
  stem = cutUtf8(stem, MAX_NAME_BYTES - extension.length).replace(/[. ]+$/, "");
  if (stem === "") stem = fallback;
  return RESERVED.test(stem + extension) ? `_${stem}${extension}` : stem + extension;
}

/** The longest beginning of whole characters that is at most `bytes` long. */
function cutUtf8(text: string, bytes: number): string {
  let length = 0;
  let end = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** `folder/name`, or `folder/name (2).ext` and so on while that exists, be it whole or as `.part`. `name` is a safe one. */
export function uniquePath(folder: string, name: string): string {
  const [, stem = "", extension = ""] = EXTENSION.exec(name) ?? [];
  for (let i = 1; ; i++) {
    const path = join(folder, i === 1 ? name : `${stem} (${i})${extension}`);
    if (!existsSync(path) && !existsSync(`${path}.part`)) return path;
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
