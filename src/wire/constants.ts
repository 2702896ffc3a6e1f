/** Numbers and names that two sides of a connection must agree on, and the limits on what others send, each with its reason. */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

// ---- BEP 3 and BEP 52: pieces, blocks, hashes ----

/** The unit of requests and the size of a leaf of the merkle tree (BEP 52). */
export const BLOCK_BYTES = 16 * KIB;
/** SHA-256. */
export const HASH_BYTES = 32;
/** SHA-1. */
export const V1_HASH_BYTES = 20;
/** Handshakes, trackers and magnets' v1 side carry this much of an info-hash (BEP 52, "infohash"). */
export const SHORT_INFO_HASH_BYTES = 20;
/** A swarm's peer id, not the name of a profile. */
export const WIRE_PEER_ID_BYTES = 20;
/** First bytes of our wire peer ids, in the style of BEP 20. */
export const WIRE_PEER_ID_PREFIX = "-SL0001-";

/** BEP 52: "a power of two and at least 16KiB". */
export const MIN_PIECE_BYTES = BLOCK_BYTES;
/** A piece is verified from one buffer: larger ones would break the memory bar (200 MB) with a handful of pieces at work. */
export const MAX_PIECE_BYTES = 16 * MIB;
/** Bounds bitfields (128 KiB) and piece layers (32 MiB). With our largest pieces (4 MiB) that is a file of 4 TiB. */
export const MAX_PIECES = 2 ** 20;
/** What MAX_PIECES of MAX_PIECE_BYTES hold; every offset stays far below 2^53. */
export const MAX_VIDEO_BYTES = 16 * TIB;

/** Piece length of our own videos by size (protocol.md, "Content"): few enough hashes, small enough pieces. */
export const PIECE_LENGTH_STEPS: readonly { upToBytes: number; pieceBytes: number }[] = [
  { upToBytes: 64 * MIB, pieceBytes: 256 * KIB },
  { upToBytes: 512 * MIB, pieceBytes: 512 * KIB },
  { upToBytes: 4 * GIB, pieceBytes: MIB },
  { upToBytes: 16 * GIB, pieceBytes: 2 * MIB },
];
/** Piece length above the last step. */
export const LARGEST_OWN_PIECE_BYTES = 4 * MIB;

/** BEP 52: "Length SHOULD NOT be greater than 512". Nobody asks for more; more is rejected. */
export const MAX_HASHES_PER_REQUEST = 512;
/** Layers of the tallest tree: MAX_PIECES (2^20) pieces of MAX_PIECE_BYTES (2^10 blocks). */
export const MAX_TREE_LAYERS = 30;

// ---- Handshake: BEP 3, 6, 10, 52 ----

export const PROTOCOL_NAME = "BitTorrent protocol";
/** Length byte, name, 8 reserved bytes, info-hash, peer id. */
export const HANDSHAKE_BYTES = 68;
/** Enough of a handshake to know it for one: the length byte and the name. */
export const HANDSHAKE_PREFIX_BYTES = 20;
/** Offset in the reserved bytes and bit of: the extension protocol (BEP 10). */
export const RESERVED_EXTENDED = { byte: 5, bit: 0x10 } as const;
/** The fast extension (BEP 6). */
export const RESERVED_FAST = { byte: 7, bit: 0x04 } as const;
/** "I also speak v2" (BEP 52, "Upgrade Path"). Set only for torrents that have a v2 side. */
export const RESERVED_V2 = { byte: 7, bit: 0x10 } as const;

// ---- Message ids ----

export const MESSAGE_ID = {
  // BEP 3
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  // BEP 5
  port: 9,
  // BEP 6
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  // BEP 10
  extended: 20,
  // BEP 52
  hashRequest: 21,
  hashes: 22,
  hashReject: 23,
} as const;

/** Length prefix of every frame. */
export const LENGTH_PREFIX_BYTES = 4;
/** Length prefix, id, piece, begin: what comes before the data of a `piece` message. */
export const PIECE_HEADER_BYTES = 13;
/** Pieces root, base, index, length, proof layers. */
export const HASH_HEADER_BYTES = 48;

/** Largest request that Streamlet peers agree on (`st_request`): beyond it nothing is gained (measured.md). */
export const MAX_REQUEST_BYTES = MIB;
/** Requests of one connection that are queued: libtorrent's default is 500 and its cap 2000. More are rejected. */
export const MAX_QUEUED_REQUESTS = 2000;
/**
 * Largest frame, without its length prefix, that is read from anyone: a `piece` of MAX_REQUEST_BYTES. A bitfield of MAX_PIECES
 * (128 KiB) and `hashes` (17 KiB) are smaller.
 */
export const MAX_FRAME_BYTES = 1 + 8 + MAX_REQUEST_BYTES;

// ---- BEP 10 and BEP 9 ----

/** Extended message id of the extended handshake itself. */
export const EXTENDED_HANDSHAKE_ID = 0;
export const UT_METADATA = "ut_metadata";
/** The id under which others send us `ut_metadata`. */
export const UT_METADATA_ID = 1;
export const METADATA_PIECE_BYTES = 16 * KIB;
/** Info dictionaries hold 20 bytes per piece (v1): this is enough for 800,000 pieces, and is held in memory once per video. */
export const MAX_METADATA_BYTES = 16 * MIB;
/** Info dictionary, piece layer (32 MiB at most) and trackers. */
export const MAX_TORRENT_FILE_BYTES = 64 * MIB;
/** An extended handshake, or the dictionary of another extended message; ours are below 1 KiB. */
export const MAX_EXTENDED_HANDSHAKE_BYTES = 16 * KIB;
/** Requests that we keep queued for a peer unless it says otherwise (`reqq`); libtorrent's default too. */
export const DEFAULT_REQUEST_QUEUE = 250;
/** A larger `reqq` is read as this: nobody needs more requests in flight. */
export const MAX_REQUEST_QUEUE = 2000;
export const MAX_CLIENT_VERSION_CHARS = 64;

// ---- Names and trackers in metainfo, links ----

/** 255 UTF-16 units, the longest name of any file system, are at most 765 bytes of UTF-8. */
export const MAX_FILE_NAME_BYTES = 1024;
export const MAX_ANNOUNCE_URLS = 64;
export const MAX_URL_CHARS = 2048;
/** Browsers and chat programs cut links beyond this. */
export const MAX_LINK_CHARS = 8192;
export const MAX_LINK_HOSTS = 16;
export const MAX_LINK_TRACKERS = 16;

// ---- Signatures, records, grants ----

/** First part of everything that is signed, so that a signature is worth nothing elsewhere. */
export const RECORD_CONTEXT = "streamlet-record/1";
export const TRACKER_CONTEXT = "streamlet-tracker/1";
export const GRANT_CONTEXT = "streamlet-grant/1";

/** SubjectPublicKeyInfo of an uncompressed P-256 key (RFC 5480). */
export const SPKI_BYTES = 91;
/** r and s, 32 bytes each (IEEE P1363). */
export const SIGNATURE_BYTES = 64;

export const MAX_TITLE_CHARS = 200;
export const MAX_DESCRIPTION_CHARS = 4000;
export const MAX_THUMBNAIL_BYTES = 16 * KIB;
export const MAX_CONTAINER_CHARS = 40;
export const MAX_CODECS_CHARS = 200;
/** Byte ranges that a player needs first: head and tail, a few more for odd containers. */
export const MAX_INDEX_RANGES = 8;
/** Ten days: longer recordings exist in no format that we take. */
export const MAX_DURATION_SECONDS = 864_000;
export const MAX_DIMENSION_PIXELS = 65_535;
/** Thumbnail (16 KiB), description (4000 characters of at most 4 bytes), title, file name, key, signature and the rest. */
export const MAX_RECORD_BYTES = 40 * KIB;
/** A record must be renewed while it is shared, so that what its owner forgot disappears. */
export const MAX_RECORD_LIFETIME_MS = 24 * HOUR_MS;
/** How far clocks may be apart. */
export const MAX_CLOCK_SKEW_MS = 10 * MINUTE_MS;
/** Id, fingerprint, expiry, key and signature, with room for additions. */
export const MAX_GRANT_BYTES = KIB;
/** A friend can fetch from other holders while the owner is away for a week; ending a friendship takes effect by then everywhere. */
export const MAX_GRANT_LIFETIME_MS = 7 * 24 * HOUR_MS;
