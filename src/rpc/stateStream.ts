/**
 * How a state that is large and changes a little, four times a second, crosses a border: whole once, then what has become of
 * it. Messages are numbered; each delta is of the state that the message before it left. A receiver never guesses: what it has
 * seen already it drops, after a gap it keeps what it has and asks for the whole.
 */
import type { LibraryVideo, Snapshot } from "../peer/status";
import type { HostState } from "./window";

export type StateMessage<T, D> = { seq: number } & ({ full: T } | { delta: D });

/** What the receiving side says. */
export interface StateRequests {
  /** A message is missing: the next one has to be whole. */
  resync(): void;
}

/** What has become of the parts of a record. */
export interface PartsDelta<T> {
  changed: Partial<T>;
  gone: (keyof T)[];
}

export interface VideosDelta {
  /** Those that were there stay in their places, new ones follow at the end. */
  changed: LibraryVideo[];
  /** Keys of those that are no more. */
  removed: string[];
  /** All keys, where their order is not the one that the above leaves. */
  order?: string[];
}

export interface SnapshotDelta {
  parts?: PartsDelta<Omit<Snapshot, "videos">>;
  videos?: VideosDelta;
}

export interface HostStateDelta {
  parts?: PartsDelta<Omit<HostState, "snapshot">>;
  snapshot?: SnapshotDelta;
}

export type SnapshotMessage = StateMessage<Snapshot, SnapshotDelta>;
export type HostStateMessage = StateMessage<HostState, HostStateDelta>;

export class StateSender<T, D> {
  private sent: T | undefined;
  private seq = 0;

  /** @param deltaOf undefined where nothing has changed */
  constructor(private readonly deltaOf: (before: T, after: T) => D | undefined) {}

  /** To be sent, in this order; undefined where there is nothing to tell. States are never changed in place. */
  next(state: T): StateMessage<T, D> | undefined {
    const before = this.sent;
    this.sent = state;
    if (before === undefined) return { seq: ++this.seq, full: state };
    const delta = this.deltaOf(before, state);
    return delta && { seq: ++this.seq, delta };
  }

  /** The next message is whole. */
  restart(): void {
    this.sent = undefined;
  }
}

export class StateReceiver<T, D> {
  private state: T | undefined;
  private seq = 0;

  /** @param resync asks the sender for a whole state; called for each message that cannot be used for want of an earlier one */
  constructor(
    private readonly apply: (before: T, delta: D) => T,
    private readonly resync: () => void,
  ) {}

  /** The state that is new with this message; undefined where there is none. */
  take(message: StateMessage<T, D>): T | undefined {
    if (message.seq <= this.seq) return undefined;
    if ("full" in message) this.state = message.full;
    else if (this.state !== undefined && message.seq === this.seq + 1)
      this.state = this.apply(this.state, message.delta);
    else {
      this.resync();
      return undefined;
    }
    this.seq = message.seq;
    return this.state;
  }
}
