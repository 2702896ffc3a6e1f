/** A box of ISO base media (ISO/IEC 14496-12, 4.2): length, kind, content. */
export function box(kind: string, ...content: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + bytes.length, 0);
  head.write(kind, 4, "latin1");
  return Buffer.concat([head, bytes]);
}
