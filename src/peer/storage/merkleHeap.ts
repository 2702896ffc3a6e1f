import { HASH_BYTES } from "../../wire/constants";
import { sha256Into } from "../../wire/merkle";

/**
 * A complete binary hash tree in one array, some of whose nodes may be unknown: root at 1, children of `i` at `2i` and `2i + 1`.
 * Every node whose two children are known is known as well.
 */
export class MerkleHeap {
  readonly #nodes: Buffer;
  readonly #known: Uint8Array;
  #missing: number;

  /** `width`: count of nodes of the lowest layer, a power of two. */
  constructor(readonly width: number) {
    this.#nodes = Buffer.alloc(2 * width * HASH_BYTES);
    this.#known = new Uint8Array(2 * width);
    this.#missing = width;
  }

  /** The lowest layer is known as a whole. */
  get complete(): boolean {
    return this.#missing === 0;
  }

  /** Sets nodes `first`... of the lowest layer (32 bytes each) and whatever follows from them further up. */
  set(first: number, hashes: Uint8Array): void {
    let from = this.width + first;
    let to = from + hashes.length / HASH_BYTES - 1;
    this.#nodes.set(hashes, from * HASH_BYTES);
    for (let i = from; i <= to; i++) {
      if (this.#known[i] === 0) this.#missing--;
      this.#known[i] = 1;
    }
    while (to > 1) {
      from >>= 1;
      to >>= 1;
      for (let i = from; i <= to; i++) {
        if (this.#known[2 * i] === 0 || this.#known[2 * i + 1] === 0) continue;
        const children = this.#nodes.subarray(2 * i * HASH_BYTES, (2 * i + 2) * HASH_BYTES);
        sha256Into(children, this.#nodes, i * HASH_BYTES);
        this.#known[i] = 1;
      }
    }
  }

  /** Nodes `first` to `first + count - 1` of the layer `level` above the lowest, or undefined if one of them is unknown. */
  get(level: number, first: number, count = 1): Uint8Array | undefined {
    const from = (this.width >> level) + first;
    if (this.#known.subarray(from, from + count).includes(0)) return undefined;
    return this.#nodes.subarray(from * HASH_BYTES, (from + count) * HASH_BYTES);
  }

  get root(): Uint8Array | undefined {
    return this.get(Math.log2(this.width), 0);
  }
}
