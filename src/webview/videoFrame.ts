/** Pictures of a video that the page itself can decode. Whatever the file is, an answer comes within a few seconds. */

/** The box that a picture fits into; a smaller video is not enlarged. */
const MAX_WIDTH = 320;
const MAX_HEIGHT = 180;
/** A record has room for so much. */
const MAX_PICTURE_BYTES = 16 * 1024;
/** Tried in this order until the picture is small enough; the first mostly is. */
const QUALITIES = [0.8, 0.6, 0.4, 0.2, 0.05];
/** Reading the index of a large file from a slow disk, and seeking in it. */
const STEP_TIMEOUT_MS = 6_000;
/** How far in a video shows what it is: the beginning is often black. */
export const USUAL_POSITION = 0.1;

/** base64, and its type. */
export interface Picture {
  type: string;
  data: string;
}

export function dataUrl({ type, data }: Picture): string {
  return `data:${type};base64,${data}`;
}

/** A file that is open for pictures; `close` it. */
export interface OpenVideo {
  /** Seconds; undefined where the file does not say. */
  duration: number | undefined;
  /** The frame at this time; rejects where it cannot be decoded. */
  capture(seconds: number): Promise<Picture>;
  close(): void;
}

/** Rejects where this browser cannot decode the video, or it takes too long. */
export async function openVideo(uri: string): Promise<OpenVideo> {
  const video = document.createElement("video");
  const close = () => {
    video.removeAttribute("src");
    video.load();
  };
  video.muted = true;
  video.preload = "auto";
  // Another origin than the page's: without this a canvas that it was drawn on cannot be read.
  video.crossOrigin = "anonymous";
  try {
    const loaded = happens(video, "loadeddata");
    video.src = uri;
    await loaded;
    if (video.videoWidth === 0) throw new Error("there is no picture that can be decoded");
  } catch (error) {
    close();
    throw error;
  }
  return {
    duration: Number.isFinite(video.duration) ? video.duration : undefined,
    async capture(seconds) {
      const sought = happens(video, "seeked");
      video.currentTime = seconds;
      await sought;
      return pictureOf(video);
    },
    close,
  };
}

/** A picture of a frame that is likely to tell what the video is. */
export async function previewOf(uri: string): Promise<Picture> {
  const video = await openVideo(uri);
  try {
    return await video.capture((video.duration ?? 0) * USUAL_POSITION);
  } finally {
    video.close();
  }
}

function happens(video: HTMLVideoElement, event: "loadeddata" | "seeked"): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(new Error(`no ${event} in time`)), STEP_TIMEOUT_MS);
    const onEvent = () => finish();
    const onError = () => finish(new Error(video.error?.message ?? "the video cannot be read"));
    const finish = (error?: Error) => {
      clearTimeout(timer);
      video.removeEventListener(event, onEvent);
      video.removeEventListener("error", onError);
      if (error) reject(error);
      else resolve();
    };
    video.addEventListener(event, onEvent);
    video.addEventListener("error", onError);
  });
}

async function pictureOf(video: HTMLVideoElement): Promise<Picture> {
  const scale = Math.min(1, MAX_WIDTH / video.videoWidth, MAX_HEIGHT / video.videoHeight);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(video.videoWidth * scale));
  canvas.height = Math.max(1, Math.round(video.videoHeight * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("nothing can be drawn here");
  context.imageSmoothingQuality = "high";
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  for (const type of ["image/webp", "image/jpeg"]) {
    for (const quality of QUALITIES) {
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, quality));
      if (blob?.type !== type) break; // a browser that does not write this type makes a PNG instead
      if (blob.size <= MAX_PICTURE_BYTES) return { type, data: await base64Of(blob) };
    }
  }
  throw new Error("no picture of this frame is small enough");
}

function base64Of(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("error", () => reject(reader.error));
    reader.addEventListener("load", () => resolve(String(reader.result).replace(/^[^,]*,/, "")));
    reader.readAsDataURL(blob);
  });
}
