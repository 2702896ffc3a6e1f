/** What is known of a video's content, within the bounds of a record: what cannot be said there is not said at all. */
import * as z from "zod";
import {
  MAX_CODECS_CHARS,
  MAX_CONTAINER_CHARS,
  MAX_DIMENSION_PIXELS,
  MAX_DURATION_SECONDS,
  MAX_INDEX_RANGES,
} from "../../wire/constants";
import type { MediaFacts } from "../../wire/mediaFacts";
import { withoutUndefined } from "../storage/libraryEntry";
import type { Container } from "../storage/videoFile";

/** Width and height are as it is shown: pixels are square, rotation is applied. */
export interface MediaInfo extends MediaFacts {
  container?: Container;
  /** Byte ranges [begin, end) that a player reads first. */
  indexRanges?: [number, number][];
}

const ascii = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[\x20-\x7e]+$/)
    .optional()
    .catch(undefined);
const pixels = z.number().int().min(1).max(MAX_DIMENSION_PIXELS).optional().catch(undefined);

const INFO = z.object({
  container: ascii(MAX_CONTAINER_CHARS) as unknown as z.ZodType<Container | undefined>,
  duration: z.number().positive().max(MAX_DURATION_SECONDS).optional().catch(undefined),
  width: pixels,
  height: pixels,
  codecs: ascii(MAX_CODECS_CHARS),
  indexRanges: z
    .array(z.tuple([z.number().int().nonnegative(), z.number().int().positive()]))
    .min(1)
    .max(MAX_INDEX_RANGES)
    .optional()
    .catch(undefined),
});

/** What of it holds. Whoever has read the file may have been led astray by it. @param size of the file, bytes */
export function cleanInfo(raw: unknown, size: number): MediaInfo {
  const parsed = INFO.safeParse(raw);
  if (!parsed.success) return {};
  const { container, duration, width, height, codecs, indexRanges } = parsed.data;
  const whole = width !== undefined && height !== undefined;
  const inside = indexRanges?.every(([begin, end]) => begin < end && end <= size);
  return withoutUndefined<MediaInfo>({
    container,
    duration: duration === undefined ? undefined : Math.round(duration * 1000) / 1000,
    width: whole ? width : undefined,
    height: whole ? height : undefined,
    codecs,
    indexRanges: inside ? indexRanges : undefined,
  } as MediaInfo);
}
