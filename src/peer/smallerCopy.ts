/** How large the smaller copy of an upload may be. Pure: for whoever makes one, and for the form that says it beforehand. */

/** Heights, in pixels, of the smaller copies that ffmpeg can make; a video that is lower keeps its own. */
export const OPTIMISED_HEIGHTS = [1080, 720] as const;
export type OptimisedHeight = (typeof OPTIMISED_HEIGHTS)[number];

/** Bits per second that a picture of that height takes at most: what sharp 60 fps recordings of screens need. */
const OPTIMISED_VIDEO_BITS: Record<OptimisedHeight, number> = { 1080: 6_000_000, 720: 3_000_000 };
/** Less than that and nothing can be made out any more, whatever the original has. */
const LEAST_VIDEO_BITS = 300_000;
export const OPTIMISED_AUDIO_BITS = 128_000;

/** Bits per second that the smaller copy's picture may take: never more than all of the original. `duration` in seconds. */
export function optimisedVideoBits(height: OptimisedHeight, original: { size: number; duration: number }): number {
  const originalBits = (original.size * 8) / original.duration - OPTIMISED_AUDIO_BITS;
  return Math.round(Math.max(LEAST_VIDEO_BITS, Math.min(OPTIMISED_VIDEO_BITS[height], originalBits)));
}

/** Bytes that the smaller copy has at most. */
export function optimisedSize(height: OptimisedHeight, original: { size: number; duration: number }): number {
  return Math.round(((optimisedVideoBits(height, original) + OPTIMISED_AUDIO_BITS) * original.duration) / 8);
}
