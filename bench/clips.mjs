// Real videos, made by ffmpeg.

import { randomBytes } from "node:crypto";
import { appendFileSync, copyFileSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { run as runProgram } from "../tools/run.mjs";

/** An MP4 box that every reader skips; its content makes files of the same video differ. */
function freeBox() {
  const box = Buffer.alloc(24);
  box.writeUInt32BE(box.length, 0);
  box.write("free", 4, "latin1");
  randomBytes(16).copy(box, 8);
  return box;
}

/**
 * Makes one video (moving test pattern and a tone, H.264 and AAC, 1280x720) under several names; each file is another video to
 * Streamlet, because a few bytes at its end differ. Returns their paths.
 *
 * @param {string} dir
 * @param {string[]} titles
 * @param {{seconds: number, bitrate: string, index: "front" | "end"}} options `bitrate` is kept to, whatever the picture needs; `index`
 *   is where moov stands
 */
export async function makeClips(dir, titles, { seconds, bitrate, index }) {
  const folder = join(dir, "clips");
  mkdirSync(folder, { recursive: true });
  const first = join(folder, `${titles[0]}.mp4`);
  const picture = ["-f", "lavfi", "-i", `testsrc2=size=1280x720:rate=30:duration=${seconds}`];
  // Noise costs bits, as a film does: a test pattern alone would stay far below the rate.
  const noise = ["-vf", "noise=alls=24:allf=t"];
  const sound = ["-f", "lavfi", "-i", `sine=frequency=440:sample_rate=48000:duration=${seconds}`];
  const rate = ["-b:v", bitrate, "-minrate", bitrate, "-maxrate", bitrate, "-bufsize", bitrate];
  const video = ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "nal-hrd=cbr", "-g", "60", ...rate];
  const format = [
    "-pix_fmt",
    "yuv420p",
    "-c:a",
    "aac",
    "-b:a",
    "96k",
    ...(index === "front" ? ["-movflags", "+faststart"] : []),
  ];
  const quiet = ["-hide_banner", "-loglevel", "error", "-y"];
  await runProgram("ffmpeg", [...quiet, ...picture, ...sound, ...noise, ...video, ...format, first], { quiet: true });
  const { size } = statSync(first);
  if (size === 0) throw new Error("ffmpeg made an empty file");
  return titles
    .map((title, number) => {
      const path = join(folder, `${title}.mp4`);
      if (number > 0) copyFileSync(first, path);
      return path;
    })
    .map((path) => {
      appendFileSync(path, freeBox());
      return path;
    });
}
