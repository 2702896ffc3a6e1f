/** The private keys of profiles: those of forms that are still open, and those that SecretStorage keeps. It makes none itself. */
import { randomBytes } from "node:crypto";
import { StreamletError } from "../../wire/errors";
import { answeredWithin } from "./answeredWithin";
import { secretName } from "./places";

/** The part of `vscode.SecretStorage` that is needed. */
export interface SecretStore {
  get(key: string): Thenable<string | undefined>;
  store(key: string, value: string): Thenable<void>;
  delete(key: string): Thenable<void>;
}

/** SecretStorage answers in milliseconds; a keychain that asks its user may take a minute. */
const TIMEOUT_MS = 90_000;
/** Forms that were opened and left; each holds one key. */
const MAX_PENDING = 16;

export interface NewIdentity {
  privateKey: string;
  fingerprint: string;
}

export class ProfileKeys {
  private readonly pending = new Map<string, NewIdentity>();

  constructor(
    private readonly secrets: SecretStore,
    /** VS Code does not answer any more. */
    private readonly onSilence: () => void,
  ) {}

  /** Keeps the key of a form until it is sent or long forgotten. The result stands for it. */
  hold(identity: NewIdentity): string {
    const token = randomBytes(16).toString("hex");
    this.pending.set(token, identity);
    for (const oldest of this.pending.keys()) {
      if (this.pending.size <= MAX_PENDING) break;
      this.pending.delete(oldest);
    }
    return token;
  }

  held(token: string): NewIdentity | undefined {
    return this.pending.get(token);
  }

  /** The form's profile has its key. */
  release(token: string): void {
    this.pending.delete(token);
  }

  /** Undefined where the keychain has lost it. Errors: connection-lost. */
  read(profileId: string): Promise<string | undefined> {
    return this.answered(this.secrets.get(secretName(profileId)));
  }

  /** Errors: identity-missing, connection-lost. */
  async require({ id, peerId }: { id: string; peerId: string }): Promise<string> {
    const privateKey = await this.read(id);
    if (privateKey) return privateKey;
    throw new StreamletError("identity-missing", `The key of the profile ${peerId} is not in the keychain.`);
  }

  store(profileId: string, privateKey: string): Promise<void> {
    return this.answered(this.secrets.store(secretName(profileId), privateKey));
  }

  delete(profileId: string): Promise<void> {
    return this.answered(this.secrets.delete(secretName(profileId)));
  }

  private answered<T>(answer: Thenable<T>): Promise<T> {
    return answeredWithin(answer, TIMEOUT_MS, this.onSilence);
  }
}
