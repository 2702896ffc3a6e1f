/** One's friends and blocked people while a peer runs: what is decided about them, and what follows from it at once. */
import { parseContact } from "../../wire/contact";
import { StreamletError } from "../../wire/errors";
import { type Fingerprint, isFingerprint } from "../../wire/types";
import type { ControlConnection } from "../net/controlConnection";
import type { Contact } from "../status";
import type { Contacts, StoredContact } from "./contacts";

export interface CircleHost {
  wallClock(): number;
  control(fingerprint: Fingerprint): ControlConnection | undefined;
  /** Some tracker says that they are online. */
  isListed(fingerprint: Fingerprint): boolean;
  /** Somebody became a friend, was a friend, was blocked or is not any more: takes effect on open connections. */
  onPeopleChanged(fingerprint: Fingerprint): void;
}

export class Circle {
  constructor(
    readonly contacts: Contacts,
    private readonly host: CircleHost,
  ) {}

  /** For snapshots, by name. */
  status(): Contact[] {
    return this.contacts.list().map((contact) => this.statusOf(contact));
  }

  /** Errors: as `PeerService.addFriend`. */
  async addFriend(text: string, peerId?: string): Promise<Contact> {
    const address = parseContact(text);
    const control = this.host.control(address.fingerprint);
    const added = await this.decided(
      address.fingerprint,
      this.contacts.addFriend(address, peerId || control?.peer.peerId),
    );
    if (control) this.noteConnected(control);
    return this.statusOf(this.contacts.get(address.fingerprint) ?? added);
  }

  async removeFriend(text: string): Promise<void> {
    const fingerprint = toFingerprint(text);
    await this.decided(fingerprint, this.contacts.remove(fingerprint, "friend"));
  }

  async block(text: string, peerId?: string): Promise<void> {
    const fingerprint = toFingerprint(text);
    await this.decided(
      fingerprint,
      this.contacts.block(fingerprint, peerId || this.host.control(fingerprint)?.peer.peerId),
    );
  }

  async unblock(text: string): Promise<void> {
    const fingerprint = toFingerprint(text);
    await this.decided(fingerprint, this.contacts.remove(fingerprint, "blocked"));
  }

  /** It counts in memory already, even where it cannot be written: what follows from it is not kept waiting by the disk. */
  private async decided<T>(fingerprint: Fingerprint, writing: Promise<T>): Promise<T> {
    this.host.onPeopleChanged(fingerprint);
    return writing;
  }

  /** A control connection has opened, or is about to end. */
  noteConnected({ peer, outgoing }: ControlConnection): void {
    this.contacts.noteSeen(peer.fingerprint, {
      peerId: peer.peerId,
      // Where somebody came from is no address to dial, unless it is the host of where it listens.
      ...(outgoing || peer.port > 0 ? { host: peer.host, port: peer.port } : {}),
      at: this.host.wallClock(),
    });
  }

  private statusOf(contact: StoredContact): Contact {
    const connected = this.host.control(contact.fingerprint) !== undefined;
    return { ...contact, online: connected || this.host.isListed(contact.fingerprint), connected };
  }
}

function toFingerprint(text: string): Fingerprint {
  if (isFingerprint(text)) return text;
  throw new StreamletError("invalid-argument", "That is not a fingerprint.");
}
