/**
 * Every limit of a tracker beside its reason. Rates are token buckets: `burst` at once, then `perSecond`.
 * "Address" is an IPv4 address or an IPv6 /64, which is what one customer gets.
 */
export interface Rate {
  burst: number;
  perSecond: number;
}

export interface TrackerLimits {
  /** Open connections in all: about 30 kB each. */
  connections: number;
  /** Open connections of one address: an office behind one router. */
  connectionsPerAddress: number;
  /** New connections of one address: each costs a signature check. */
  connectRate: Rate;
  /** Requests of one connection: a replay of 10,000 videos is about 120; a person causes a few a second. */
  requestRate: Rate;
  requestRatePerAddress: Rate;
  /** Records of one connection: 0.2 ms of signature check each; a replay of 10,000 goes through in one burst. */
  recordRate: Rate;
  recordRatePerAddress: Rate;
  /** Names that are new to the tracker, by address: keys are free, so that is all that stands against hoarding. */
  newNameRate: Rate;
  /** Callbacks that one peer asks for, and that one peer is bothered with. */
  callbackRate: Rate;
  callbackRatePerTarget: Rate;
  /** Records of one owner: 20,000 leaves room above the 10,000 that everything is built for. */
  recordsPerOwner: number;
  /** Bytes of all records together: most of a small server's memory. Those that nobody lists go first. */
  recordBytes: number;
  /** Ids that one connection holds or wants. */
  idsPerConnection: number;
  /** Names that are kept; 100,000 are a 15 MB file. */
  names: number;
  /** Messages that are waiting for the ones before them; beyond it the socket is not read. */
  queuedMessages: number;
  /** Malformed messages after which a connection is closed. */
  badMessages: number;
  /** Requests sent in spite of `rate-limited` after which a connection is closed. */
  ignoredRefusals: number;
  /** Bytes that wait for a peer that does not read its answers; beyond it the connection is closed. */
  sendBufferBytes: number;
  /** From the TCP connection to a valid hello. */
  helloTimeoutMs: number;
  /** Addresses of this machine itself are not counted by address: many peers on one machine, or a proxy in front. */
  exemptLoopback: boolean;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: TrackerLimits = {
  connections: 20_000,
  connectionsPerAddress: 500,
  connectRate: { burst: 500, perSecond: 20 },
  requestRate: { burst: 500, perSecond: 50 },
  requestRatePerAddress: { burst: 5_000, perSecond: 500 },
  recordRate: { burst: 20_000, perSecond: 200 },
  recordRatePerAddress: { burst: 50_000, perSecond: 1_000 },
  newNameRate: { burst: 200, perSecond: 1 / 60 },
  callbackRate: { burst: 10, perSecond: 1 / 3 },
  callbackRatePerTarget: { burst: 20, perSecond: 1 },
  recordsPerOwner: 20_000,
  recordBytes: 1024 * MIB,
  idsPerConnection: 40_000,
  names: 100_000,
  queuedMessages: 64,
  badMessages: 20,
  ignoredRefusals: 200,
  sendBufferBytes: 8 * MIB,
  helloTimeoutMs: 10_000,
  exemptLoopback: true,
};

/** A name lapses when its key was not seen for so long. */
export const NAME_LAPSE_MS = 30 * 24 * 3_600_000;

/** Pings go out this often. */
export const HEARTBEAT_MS = 10_000;
/** Silence of so many heartbeats ends a session; it is looked at once a heartbeat, so after at most one more. */
export const SILENT_HEARTBEATS = 2.5;

/** `changed` goes to one connection at most this often. */
export const CHANGED_INTERVAL_MS = 1_000;
/**
 * All subscribers together get at most so many `changed` a second: beyond that many subscribers the interval grows with
 * their number, so that what a peer costs does not grow with the network.
 */
export const CHANGED_PER_SECOND = 2_000;

/** After a start peers need up to 10 s to come back; until then lists may be incomplete, and answers say so. */
export const SETTLING_MS = 12_000;

/** An answer of so many bytes costs one request more. */
export const ANSWER_BYTES_PER_REQUEST = 64 * 1024;
/** A search looks at every video. */
export const SEARCH_COST = 3;
