import * as z from "zod";
import { MAX_PICTURE_CHARS } from "../../rpc/uploadPanel";
import { readThumbnail } from "../../wire/thumbnail";

/** A picture that a page has made: one that may not be shown is left out, and keeps nobody from submitting the form. */
export const pictureSchema = z
  .string()
  .max(MAX_PICTURE_CHARS)
  .regex(/^[A-Za-z0-9+/]+={0,2}$/)
  .refine((data) => readThumbnail(Buffer.from(data, "base64")) !== undefined)
  .optional()
  .catch(undefined);
