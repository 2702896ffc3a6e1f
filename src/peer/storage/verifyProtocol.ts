/** Messages between the network thread and the one verify worker, which hashes blocks and writes pieces. */
import type { ErrorInfo } from "../../wire/errors";

/** How a piece is checked. Exactly one of `leaves`, `pieceHash`, `sha1` decides; `leaves` names the bad blocks. */
export interface PieceProof {
  /** Leaf hashes of the piece's blocks (32 bytes each), already proven against the pieces root. */
  leaves?: Uint8Array;
  /** Root of the piece's leaves, of `leafWidth` leaves (zero hashes beyond the end). */
  pieceHash?: Uint8Array;
  leafWidth: number;
  /** SHA-1 of the whole piece (BEP 3), for v1-only sources. */
  sha1?: Uint8Array;
}

export type VerifyRequest =
  | { type: "slot"; slot: number; memory: SharedArrayBuffer }
  | { type: "dropSlot"; slot: number }
  | { type: "open"; file: number; path: string; length: number }
  | { type: "close"; file: number; job: number }
  | { type: "write"; job: number; file: number; slot: number; length: number; position: number; proof: PieceProof }
  /** Reads a piece that is on disk already and checks it; used by resume and recheck. */
  | { type: "recheck"; job: number; file: number; length: number; position: number; proof: PieceProof };

export type VerifyReply =
  /** `leaves` are the hashes as computed, for serving them later (absent for SHA-1). */
  | { type: "good"; job: number; leaves: Uint8Array | undefined }
  /** `bad` lists block indices within the piece; empty where only the whole piece can be judged. */
  | { type: "bad"; job: number; bad: number[] }
  | { type: "closed"; job: number }
  | { type: "failed"; job: number; error: ErrorInfo };
