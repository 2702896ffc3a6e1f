/** The head of a fragmented MP4, as a `SourceBuffer` wants to be told of it (ISO/IEC 14496-12; RFC 6381). */

/** Path of boxes from the head to the sample entries of a track. */
const TO_ENTRIES = ["mdia", "minf", "stbl", "stsd"];
/** Before the boxes within: `VisualSampleEntry` and `stsd`, without their box headers. */
const VISUAL_ENTRY_BYTES = 78;
const STSD_BYTES = 8;

interface Box {
  kind: string;
  /** Without its header. */
  content: Buffer;
  /** With it, in what it was read from. */
  end: number;
}

/** Whole boxes of known length; ends at what is none. */
function* boxesOf(bytes: Buffer, from = 0): Generator<Box> {
  for (let at = from; at + 8 <= bytes.length; ) {
    const end = at + bytes.readUInt32BE(at);
    if (end < at + 8 || end > bytes.length) return;
    yield { kind: bytes.toString("latin1", at + 4, at + 8), content: bytes.subarray(at + 8, end), end };
    at = end;
  }
}

function within(bytes: Buffer, kind: string): Buffer | undefined {
  for (const box of boxesOf(bytes)) if (box.kind === kind) return box.content;
  return undefined;
}

/** Where the head of a stream that begins with `bytes` ends; undefined as long as it is not whole. */
export function endOfHead(bytes: Buffer): number | undefined {
  for (const { kind, end } of boxesOf(bytes)) if (kind === "moov") return end;
  return undefined;
}

/** `avc1.64001f, flac`; undefined for a head with something else in it. */
export function codecsOf(head: Buffer): string | undefined {
  const codecs: (string | undefined)[] = [];
  for (const { kind, content } of boxesOf(within(head, "moov") ?? Buffer.alloc(0))) {
    if (kind !== "trak") continue;
    const entries = TO_ENTRIES.reduce<Buffer | undefined>((bytes, name) => bytes && within(bytes, name), content);
    const [entry] = entries ? boxesOf(entries, STSD_BYTES) : [];
    codecs.push(entry && codecOf(entry));
  }
  return codecs.length > 0 && codecs.every((codec) => codec !== undefined) ? codecs.join(", ") : undefined;
}

function codecOf({ kind, content }: Box): string | undefined {
  if (kind === "fLaC") return "flac";
  const inner = content.subarray(VISUAL_ENTRY_BYTES);
  switch (kind) {
    case "avc1": {
      // ISO/IEC 14496-15, 5.3.3.1: version, profile, compatibility, level
      const avcc = within(inner, "avcC");
      return avcc && avcc.length >= 4 ? `avc1.${avcc.toString("hex", 1, 4)}` : undefined;
    }
    case "vp09": {
      // VP codec ISO binding: version and flags, profile, level, depth and more in one byte
      const vpcc = within(inner, "vpcC");
      if (!vpcc || vpcc.length < 7) return undefined;
      return `vp09.${[vpcc[4], vpcc[5], (vpcc[6] as number) >> 4].map((part) => twoDigits(part as number)).join(".")}`;
    }
    case "av01": {
      // AV1 ISO binding, 2.3: marker, profile and level, tier and depth
      const av1c = within(inner, "av1C");
      if (!av1c || av1c.length < 3) return undefined;
      const [, profileLevel, flags] = av1c as unknown as [number, number, number];
      const depth = (flags & 0x40) === 0 ? 8 : (flags & 0x20) === 0 ? 10 : 12;
      return `av01.${profileLevel >> 5}.${twoDigits(profileLevel & 0x1f)}${flags & 0x80 ? "H" : "M"}.${twoDigits(depth)}`;
    }
    default:
      return undefined;
  }
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
