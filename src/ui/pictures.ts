/** Pictures of videos for tooltips and pages: only what the engine has looked through, and only as data. */
import type { Thumbnail } from "../peer/status";
import type { WindowService } from "../rpc/window";

/** A tooltip's worth of rows that one points at in turn; 22 kB each. */
const MAX_PICTURES = 64;
/** base64 of 16 KiB. */
const MAX_CHARS = 21_848;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export interface PictureOf {
  key?: string;
  id?: string;
  hasThumbnail: boolean;
}

/** As a `data:` address; undefined for anything but a picture, whoever says that it is one. */
export function pictureAddress({ type, data }: Thumbnail): string | undefined {
  if (type !== "image/jpeg" && type !== "image/webp") return undefined;
  return data.length <= MAX_CHARS && BASE64.test(data) ? `data:${type};base64,${data}` : undefined;
}

export class Pictures {
  private readonly known = new Map<string, Thumbnail>();

  constructor(private readonly service: Pick<WindowService, "thumbnail">) {}

  /** Undefined where there is none; a video whose picture comes later has one then. */
  async of({ key, id, hasThumbnail }: PictureOf): Promise<Thumbnail | undefined> {
    if (!hasThumbnail) return undefined;
    // One id has one picture: it is part of the record, and of the library's entry.
    const name = id ?? key ?? "";
    const known = this.known.get(name);
    if (known) return known;
    const found = await this.service
      .thumbnail({ ...(key ? { key } : {}), ...(id ? { id } : {}) })
      .catch(() => undefined);
    if (!found || pictureAddress(found) === undefined) return undefined;
    this.known.set(name, found);
    const oldest = this.known.keys().next().value;
    if (this.known.size > MAX_PICTURES && oldest !== undefined) this.known.delete(oldest);
    return found;
  }

  /** Another profile, other videos. */
  clear(): void {
    this.known.clear();
  }
}
