/**
 * Validation of every call that a worker thread or another window sends. Only serving sides import this file: zod stays
 * out of the path that activates the extension.
 */
import * as z from "zod";
import type { Schemas } from "./connection";
import type { PeerService } from "./peerService";
import { MAX_TRACKERS, validatePeerId, validateTracker } from "./profilePanel";
import { storedSettings } from "./profileSettings";
import type { WindowService } from "./window";

/** Longer than any path, link or description that the product allows; keeps a confused caller from sending megabytes. */
const MAX_TEXT_CHARS = 16_384;
/** As product.md bounds the pages of the network view. */
const MAX_PAGE = 10_000;
/** More trackers or manual peers than that are a mistake. */
const MAX_ADDRESSES = 32;
/** PKCS#8 PEM of a P-256 key is about 250 characters. */
const MAX_KEY_CHARS = 2_000;

const text = z.string().max(MAX_TEXT_CHARS);
const key = z.string().min(1).max(200);
const port = z.number().int().min(0).max(65_535);
const rate = z.number().min(0);
const audience = z.enum(["everyone", "friends", "public"]);
const addresses = z.array(z.string().min(1).max(500)).max(MAX_ADDRESSES);
const peerId = z.string().regex(/^[A-Za-z0-9._-]{1,32}$/);
const none = z.tuple([]);

const config = z.object({
  peerId,
  privateKey: z.string().max(MAX_KEY_CHARS),
  port,
  host: text.optional(),
  trackers: addresses,
  dataDir: text.min(1),
  downloadsDir: text.optional(),
  uploadLimit: rate.optional(),
  downloadLimit: rate.optional(),
  copyOnUpload: z.boolean().optional(),
  connect: addresses.optional(),
  maxConnections: rate.optional(),
  uploadSlots: rate.optional(),
  diskQuota: rate.optional(),
  ffmpegPath: text.optional(),
});

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);
/** base64 of 16 KiB. */
const MAX_THUMBNAIL_CHARS = 21_848;
/** Before cleaning and the limit of chat.ts; anything longer is no message. */
const MAX_CHAT_TEXT = 100_000;

const engine = {
  upload: z.tuple([
    z.object({
      path: text.min(1),
      title: text.optional(),
      description: text.optional(),
      audience,
      share: z.boolean(),
      thumbnail: z.string().max(MAX_THUMBNAIL_CHARS).optional(),
      optimise: z.union([z.literal(720), z.literal(1080)]).optional(),
    }),
  ]),
  inspectFile: z.tuple([text.min(1), z.object({ picture: z.boolean() })]),
  share: z.tuple([key, audience]),
  unshare: z.tuple([key]),
  editInfo: z.tuple([
    key,
    z.object({
      title: text,
      description: text,
      thumbnail: z.string().max(MAX_THUMBNAIL_CHARS).optional(),
      was: z.object({ title: text, description: text }).optional(),
    }),
  ]),
  remove: z.tuple([key, z.object({ deleteFile: z.boolean() })]),
  saveCopy: z.tuple([key, text.min(1), z.object({ force: z.boolean(), taskId: key.optional() })]),
  cancelTask: z.tuple([key]),
  download: z.tuple([
    z.object({
      source: text.min(1),
      out: text.optional(),
      force: z.boolean().optional(),
      peers: addresses.optional(),
    }),
  ]),
  pause: z.tuple([key]),
  resume: z.tuple([key]),
  recheck: z.tuple([key]),
  setVideoLimits: z.tuple([key, z.object({ uploadLimit: rate, downloadLimit: rate })]),
  cancel: z.tuple([key]),
  openStream: z.union([
    z.tuple([text.min(1)]),
    z.tuple([text.min(1), text.nullish().transform((origin) => origin ?? undefined)]),
  ]),
  closeStream: z.tuple([key]),
  canConvert: none,
  allowConversion: z.tuple([key]),
  allowOrigin: z.tuple([key, text.min(1)]),
  playback: z.tuple([key]),
  savePlayback: z.tuple([key, z.object({ position: rate, speed: z.number().min(0.1).max(16) })]),
  link: z.tuple([key]),
  queryNetwork: z.tuple([
    z.object({
      id: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .transform((value) => value as never)
        .optional(),
      text: text.optional(),
      owner: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .transform((value) => value as never)
        .optional(),
      minDuration: rate.optional(),
      maxDuration: rate.optional(),
      minHeight: rate.optional(),
      friendsOnly: z.boolean().optional(),
      sort: z.enum(["newest", "name", "size", "sources"]).optional(),
      limit: z.number().int().min(1).max(MAX_PAGE),
    }),
  ]),
  queryPeers: z.tuple([z.object({ limit: z.number().int().min(1).max(MAX_PAGE) })]),
  refresh: none,
  connect: z.tuple([text.min(1)]),
  disconnect: z.tuple([key]),
  thumbnail: z.tuple([z.object({ key: key.optional(), id: key.optional() })]),
  details: z.tuple([key]),
  torrentFile: z.tuple([key]),
  mediaTools: none,
  // JSON has no undefined: an argument that was left out may arrive as null.
  addFriend: z.union([
    z.tuple([text.min(1)]),
    z.tuple([text.min(1), peerId.nullish().transform((name) => name ?? undefined)]),
  ]),
  removeFriend: z.tuple([fingerprint]),
  block: z.union([
    z.tuple([fingerprint]),
    z.tuple([fingerprint, peerId.nullish().transform((name) => name ?? undefined)]),
  ]),
  unblock: z.tuple([fingerprint]),
  sendChat: z.tuple([fingerprint, z.string().max(MAX_CHAT_TEXT)]),
  chatHistory: z.tuple([fingerprint, z.object({ before: key.optional(), limit: z.number().int().min(1).max(200) })]),
  markChatRead: z.tuple([fingerprint]),
  deleteChat: z.tuple([fingerprint]),
  diagnose: z.tuple([z.object({ taskId: key })]),
};

/** Calls that the worker thread answers. */
export const PEER_SCHEMAS: Schemas<PeerService> = {
  ...engine,
  createIdentity: none,
  start: z.tuple([config]),
  stop: none,
  snapshot: none,
  setLimits: z.tuple([
    z.object({
      uploadLimit: rate,
      downloadLimit: rate,
      maxConnections: rate,
      uploadSlots: rate,
      diskQuota: rate,
    }),
  ]),
  deleteData: z.tuple([config]),
};

const profileId = z.string().regex(/^[0-9a-f]{16}$/);

/** What a person may write into a profile. */
export const PROFILE_FIELDS = z.object({
  peerId: z.string().refine((name) => validatePeerId(name) === undefined, "not a Peer ID"),
  port: port.min(1),
  trackers: z
    .array(z.string().refine((address) => validateTracker(address) === undefined, "not a tracker address"))
    .min(1)
    .max(MAX_TRACKERS),
});

/** A profile as `globalState` keeps it. */
export const PROFILE = PROFILE_FIELDS.extend({
  id: profileId,
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.number(),
  lastUsedAt: z.number(),
  // Whatever became of its settings, the profile itself is worth more.
  settings: z.unknown().transform(storedSettings).optional(),
});

/** Calls that the owning window answers. */
export const WINDOW_SCHEMAS: Schemas<WindowService> = {
  ...engine,
  prepareIdentity: none,
  createProfile: z.tuple([PROFILE_FIELDS, key]),
  editProfile: z.tuple([profileId, PROFILE_FIELDS]),
  deleteProfile: z.tuple([profileId]),
  startProfile: z.tuple([profileId]),
  stopProfile: none,
  resetData: z.tuple([profileId]),
  renewIdentity: z.tuple([profileId]),
  changeSettings: z.tuple([profileId, z.unknown().transform(storedSettings)]),
};
