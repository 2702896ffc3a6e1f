/** What a video is made of, as its record, the library and every list say it. What is not known is absent. */
export interface MediaFacts {
  /** Seconds, to the millisecond. */
  duration?: number;
  /** Pixels; width and height come together. */
  width?: number;
  height?: number;
  /** e.g. `mp4`. */
  container?: string;
  /** As in RFC 6381, e.g. `avc1.64001f, mp4a.40.2`. */
  codecs?: string;
}

/** Those that are known of something that says more than them. For lists of thousands: set one by one, which is faster than spreading. */
export function mediaFacts({ duration, width, height, container, codecs }: MediaFacts): MediaFacts {
  const facts: MediaFacts = {};
  if (duration !== undefined) facts.duration = duration;
  if (width !== undefined) facts.width = width;
  if (height !== undefined) facts.height = height;
  if (container !== undefined) facts.container = container;
  if (codecs !== undefined) facts.codecs = codecs;
  return facts;
}
