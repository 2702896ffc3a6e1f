/** What the extension passes to the forms, and how it tells what they answered. */

/** A file in the extension's global storage; one JSON line per answer. */
export const ANSWERS_FILE = "answers.jsonl";

export interface Answer {
  form: "create" | "edit" | "uploadOne" | "uploadTwo";
  /** `null` where the form answered nothing. */
  answer: unknown;
}

export const TAKEN_NAME = "Bob";
export const BUSY_PORT = 5123;
export const BUSY_PORT_HINT = "Port 5123 is used by another program.";
export const FINGERPRINT = "MFZWI3D-BONSGYC-YLTMRWG-C43ENR5-QXGZDMM-FZWI3DP-BONSGYY-LTMRWAD";
export const FIRST_FILE = { path: "/videos/login bug.mp4", size: 48_200_000 };
export const SECOND_FILE = { path: "/videos/b.mkv", size: 1_234_567_890 };
