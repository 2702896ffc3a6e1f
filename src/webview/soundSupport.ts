/**
 * Which sound this editor decodes, found out by decoding some: what a browser says of itself is not true everywhere (VS Code on
 * the desktop says yes to AAC, and has no decoder for it).
 */
import { AUDIO_SAMPLES } from "./audioSamples";
import type { Sound } from "./codecs";

const SAMPLES: Partial<Record<Sound, string>> = AUDIO_SAMPLES;
/** Of the decoder's output; any will do. */
const SAMPLE_RATE = 48_000;
/** A browser that says no to these has no decoder; one that says yes is watched while it plays. */
const TYPES: Partial<Record<Sound, string>> = {
  ac3: 'audio/mp4; codecs="ac-3"',
  eac3: 'audio/mp4; codecs="ec-3"',
  dts: 'audio/mp4; codecs="dtsc"',
  alac: 'audio/mp4; codecs="alac"',
};

export class SoundSupport {
  private readonly decoded = new Map<Sound, Promise<boolean>>();

  /** Undefined where only playing can tell. Each is tried once: that starts a decoder, so none is tried for nothing. */
  async has(sound: Sound): Promise<boolean | undefined> {
    const sample = SAMPLES[sound];
    if (sample !== undefined) {
      const decoded = this.decoded.get(sound) ?? decodes(sample);
      this.decoded.set(sound, decoded);
      return decoded;
    }
    const type = TYPES[sound];
    return type !== undefined && document.createElement("video").canPlayType(type) === "" ? false : undefined;
  }
}

async function decodes(sample: string): Promise<boolean> {
  try {
    const bytes = Uint8Array.from(atob(sample), (character) => character.charCodeAt(0));
    const buffer = await new OfflineAudioContext(1, 1, SAMPLE_RATE).decodeAudioData(bytes.buffer);
    return buffer.length > 0;
  } catch {
    return false;
  }
}
