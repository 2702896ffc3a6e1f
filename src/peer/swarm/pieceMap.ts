/** Which pieces are where, in a picture's worth of cells. Pure. */
import type { Bitfield } from "../../wire/bitfield";
import type { PieceMap } from "../status";

/** More cells than a picture has points for; a megabyte of small pieces still takes 16 kB. */
const MAX_CELLS = 4_096;
const MAX_BYTE = 255;

export interface Pieces {
  here: Bitfield;
  /** Those that are under way. */
  fetching: Iterable<number>;
  /** What each connected source has. */
  sources: readonly Bitfield[];
}

export function pieceMap({ here, fetching, sources }: Pieces): PieceMap {
  const pieceCount = here.length;
  const piecesPerCell = Math.max(1, Math.ceil(pieceCount / MAX_CELLS));
  const cellCount = Math.ceil(pieceCount / piecesPerCell);
  const cells = {
    here: new Uint8Array(cellCount),
    fetching: new Uint8Array(cellCount),
    sources: new Uint8Array(cellCount),
  };
  const whole = sources.filter((source) => source.isFull).length;
  const partial = sources.filter((source) => !source.isFull && !source.isEmpty);
  let leastSources = MAX_BYTE;
  let missingCount = 0;
  for (let cell = 0; cell < cellCount; cell++) {
    const end = Math.min(pieceCount, (cell + 1) * piecesPerCell);
    let count = 0;
    let least = MAX_BYTE;
    for (let piece = cell * piecesPerCell; piece < end; piece++) {
      let holders = whole;
      for (const source of partial) if (source.get(piece)) holders++;
      least = Math.min(least, holders);
      if (here.get(piece)) count++;
      else if (holders === 0) missingCount++;
    }
    cells.here[cell] = Math.floor((count * MAX_BYTE) / (end - cell * piecesPerCell));
    cells.sources[cell] = least;
    leastSources = Math.min(leastSources, least);
  }
  for (const piece of fetching) {
    const cell = Math.floor(piece / piecesPerCell);
    const count = cells.fetching[cell];
    if (count !== undefined) cells.fetching[cell] = Math.min(MAX_BYTE, count + 1);
  }
  return {
    piecesPerCell,
    here: base64(cells.here),
    fetching: base64(cells.fetching),
    sources: base64(cells.sources),
    hereCount: here.count,
    leastSources,
    missingCount,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
