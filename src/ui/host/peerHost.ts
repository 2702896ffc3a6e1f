/**
 * The one thing that the rest of `src/ui` talks to: the newest state, and a service that works in every window. Behind it,
 * this window either owns the peer or follows the window that does; when that one goes, one of the followers takes over.
 * Nothing heavy is imported before `start`.
 */
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostState, WINDOW_PROTOCOL_VERSION, type WindowService } from "../../rpc/window";
import { StreamletError, toErrorInfo } from "../../wire/errors";
import type { Follower } from "./follower";
import type { OwnerHost, OwnerOptions } from "./ownerHost";

export interface PeerHostOptions extends Omit<OwnerOptions, "inherited" | "onDidChange" | "onMustStepDown"> {
  /** Starts the last used profile in the first window that opens. */
  startOnLaunch: () => boolean;
  onDidChange(state: HostState): void;
  /** An automatic start failed: nobody asked, so nobody but this window can say it. */
  onDidFailToStart(error: unknown): void;
  /** Another window is of another version of this extension; said once. */
  onOtherVersion(): void;
}

/** How long a command waits for this window to find its place; taking over from a killed window takes under a second. */
const JOIN_TIMEOUT_MS = 15_000;
/** Followers of a killed owner try at slightly different times. */
const MAX_TAKEOVER_JITTER_MS = 100;
/** A window whose VS Code does not answer leaves the place to the others for so long before it tries again. */
const STEPPED_DOWN_MS = 10_000;
/** Somebody else sits on the socket, or its folder cannot be used: look again after this time. */
const RETRY_MS = 2_000;

type Role = { name: "owner"; host: OwnerHost } | { name: "follower" };

export class PeerHost {
  /** Undefined until this window has found its place. */
  state: HostState | undefined;
  readonly service: WindowService;
  private role: Role | undefined;
  private target: WindowService | undefined;
  private waiters: (() => void)[] = [];
  private readonly followers = new Set<Follower>();
  /** Windows that greeted before this owner was ready. */
  private early: Socket[] = [];
  private readonly closing = new AbortController();
  private running: Promise<void> | undefined;
  private endTurn = () => {};
  private launched = false;
  private readonly foreignDownloads = new Set<string>();

  constructor(private readonly options: PeerHostOptions) {
    this.service = new Proxy({} as WindowService, {
      // One that answered `then` would be taken for a promise.
      get: (_, name) =>
        name === "then" ? undefined : (...args: unknown[]) => this.call(name as keyof WindowService, args),
    });
  }

  get isOwner(): boolean {
    return this.role?.name === "owner";
  }

  /** True for a download that another window asked for: that window tells its user. */
  isForeignDownload(key: string): boolean {
    return this.foreignDownloads.has(key);
  }

  /** Looks for its place, now and whenever the owner goes; idempotent. */
  start(): void {
    this.running ??= this.run();
  }

  async applyPreferences(change: { restart: boolean }): Promise<void> {
    if (this.role?.name === "owner") await this.role.host.applyPreferences(change);
  }

  /** The owner says goodbye to its peers first, so that whoever takes over finds port and folder free. */
  async dispose(): Promise<void> {
    this.closing.abort();
    this.endTurn();
    await this.running;
  }

  private async run(): Promise<void> {
    const { storagePath, log } = this.options;
    const { joinMeeting, loadSecret, meetingAddress } = await import("./election");
    const { mkdir } = await import("node:fs/promises");
    let saidVersion = false;
    while (!this.closing.signal.aborted) {
      try {
        await mkdir(storagePath, { recursive: true });
        const secret = await loadSecret(join(storagePath, "windows.secret"));
        const meeting = { address: meetingAddress(storagePath), secret, version: WINDOW_PROTOCOL_VERSION };
        const joined = await joinMeeting(meeting, (socket) => this.greet(socket, secret), this.closing.signal);
        if (joined.role === "owner") await this.own(joined.server);
        else if (joined.role === "follower") await this.follow(joined.socket);
        else {
          if (joined.reason === "otherVersion" && !saidVersion) {
            saidVersion = true;
            this.options.onOtherVersion();
          }
          log.warn(`Cannot join the other windows: ${joined.reason}`);
          await this.pause(RETRY_MS);
        }
      } catch (error) {
        if (this.closing.signal.aborted) break;
        log.error(`Cannot join the other windows: ${toErrorInfo(error).message}`);
        await this.pause(RETRY_MS);
      }
      await this.pause(Math.random() * MAX_TAKEOVER_JITTER_MS);
    }
  }

  private async own(server: Server): Promise<void> {
    const { OwnerHost } = await import("./ownerHost");
    const turn = new Promise<void>((resolve) => {
      this.endTurn = resolve;
    });
    let steppedDown = false;
    const host = new OwnerHost({
      ...this.options,
      ...(this.state ? { inherited: this.state } : {}),
      onDidChange: (state) => {
        this.show(state);
        for (const follower of this.followers) follower.send(state);
      },
      onMustStepDown: () => {
        this.options.log.error("VS Code does not answer in this window: another window may take the peer.");
        steppedDown = true;
        this.endTurn();
      },
    });
    this.settle({ name: "owner", host }, host.service);
    this.show(host.state);
    host.lookAtSettings();
    for (const socket of this.early.splice(0)) await this.addFollower(socket, host);
    const wanted = host.state.wanted || (!this.launched && this.options.startOnLaunch());
    this.launched = true;
    if (wanted) host.startAutomatically().catch((error) => this.options.onDidFailToStart(error));
    if (!this.closing.signal.aborted) await turn;
    // The socket goes last: whoever takes it finds the port and the data folder free.
    this.unsettle();
    await host.dispose();
    server.close();
    for (const follower of this.followers) follower.close();
    this.followers.clear();
    if (steppedDown) await this.pause(STEPPED_DOWN_MS);
  }

  private async follow(socket: Socket): Promise<void> {
    const { followOwner } = await import("./follower");
    const link = followOwner(socket, (state) => this.show(state));
    this.endTurn = () => link.close();
    if (this.closing.signal.aborted) link.close();
    try {
      await link.known;
      this.launched = true;
      this.settle({ name: "follower" }, link.service);
      await link.closed;
    } finally {
      this.unsettle();
      link.close();
    }
  }

  private async greet(socket: Socket, secret: Buffer): Promise<void> {
    const { greetFollower } = await import("./handshake");
    if ((await greetFollower(socket, secret, WINDOW_PROTOCOL_VERSION)) !== "welcome") return;
    if (this.role?.name === "owner") await this.addFollower(socket, this.role.host);
    else this.early.push(socket);
  }

  private async addFollower(socket: Socket, host: OwnerHost): Promise<void> {
    const { Follower } = await import("./follower");
    const started = new Set<string>();
    const service: WindowService = {
      ...host.service,
      download: async (request) => {
        const result = await host.service.download(request);
        started.add(result.key);
        this.foreignDownloads.add(result.key);
        return result;
      },
    };
    const follower = new Follower(socket, service, host.state, () => {
      this.followers.delete(follower);
      for (const key of started) this.foreignDownloads.delete(key);
    });
    this.followers.add(follower);
  }

  private show(state: HostState): void {
    this.state = state;
    if (!this.closing.signal.aborted) this.options.onDidChange(state);
  }

  private settle(role: Role, target: WindowService): void {
    this.role = role;
    this.target = target;
    for (const wake of this.waiters.splice(0)) wake();
  }

  private unsettle(): void {
    this.role = undefined;
    this.target = undefined;
  }

  private async call(name: keyof WindowService, args: unknown[]): Promise<unknown> {
    this.start();
    if (!this.target) {
      const joined = new Promise<void>((resolve) => this.waiters.push(resolve));
      await Promise.race([joined, sleep(JOIN_TIMEOUT_MS, undefined, { ref: false })]);
    }
    if (!this.target) {
      throw new StreamletError(
        "connection-lost",
        "The window that runs the peer does not answer: close it or reload it.",
      );
    }
    const method = this.target[name] as (...args: unknown[]) => Promise<unknown>;
    return method(...args);
  }

  /** Waits, less if this window closes. */
  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.closing.signal }).catch(() => undefined);
  }
}
