import { readThumbnail } from "../../wire/thumbnail";
import type { RecordKey } from "../../wire/trackerMessages";

/** Some 3,000 pictures of the usual size; any other is fetched again with its record when it is looked at. */
const MAX_BYTES = 24 * 1024 * 1024;

/** Pictures of records, the least used forgotten first. Only such as may be shown get in. */
export class PictureCache {
  readonly #pictures = new Map<RecordKey, Uint8Array>();
  #bytes = 0;

  get(key: RecordKey): Uint8Array | undefined {
    const picture = this.#pictures.get(key);
    if (!picture) return undefined;
    this.#pictures.delete(key);
    this.#pictures.set(key, picture);
    return picture;
  }

  /** Replaces the picture of this record; true if there is one now. */
  set(key: RecordKey, picture: Uint8Array | undefined): boolean {
    this.delete(key);
    if (!picture || !readThumbnail(picture)) return false;
    this.#pictures.set(key, picture);
    this.#bytes += picture.length;
    for (const oldest of this.#pictures.keys()) {
      if (this.#bytes <= MAX_BYTES) break;
      this.delete(oldest);
    }
    return true;
  }

  delete(key: RecordKey): void {
    this.#bytes -= this.#pictures.get(key)?.length ?? 0;
    this.#pictures.delete(key);
  }
}
