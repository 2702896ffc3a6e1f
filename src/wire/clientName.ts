/** Programs by the peer id of BEP 3: what they say of themselves, for display only. */
/** BEP 20, "Azureus-style": `-XX1234-`. Only what is met today; others show their two letters. */
const PROGRAMS: Readonly<Record<string, string>> = {
  BC: "BitComet",
  BI: "BiglyBT",
  DE: "Deluge",
  LT: "libtorrent",
  lt: "libTorrent (rakshasa)",
  qB: "qBittorrent",
  SL: "Streamlet",
  TR: "Transmission",
  UT: "µTorrent",
  WW: "WebTorrent",
};
const AZUREUS = /^-([A-Za-z]{2})([0-9A-Za-z]{4})-/;
/** `A2-1-36-0-`: aria2 writes its version out. */
const ARIA2 = /^A2-(\d+)-(\d+)-(\d+)-/;

/**
 * Name and version of the other side's program, "" where it does not say.
 * @param version `v` of the extended handshake (BEP 10), cleaned by whoever has decoded it; it goes first
 */
export function clientName(version: string | undefined, peerId20: Uint8Array | undefined): string {
  if (version) return version;
  const text = Buffer.from(peerId20 ?? []).toString("latin1");
  const aria2 = ARIA2.exec(text);
  if (aria2) return `aria2 ${aria2.slice(1).join(".")}`;
  const [, code, digits] = AZUREUS.exec(text) ?? [];
  if (!code || !digits) return "";
  const numbers = [...digits].map((digit) => Number.parseInt(digit, 36));
  while (numbers.length > 2 && numbers.at(-1) === 0) numbers.pop();
  return `${PROGRAMS[code] ?? code} ${numbers.join(".")}`;
}
