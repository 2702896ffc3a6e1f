/** A TCP proxy that is as slow as a link between two hosts. */
export interface LinkOptions {
  /** Default 127.0.0.1. */
  host?: string;
  port: number;
  /** Of 127.0.0.1; default: any free one. */
  listenPort?: number;
  roundTripMs: number;
  /** Of each direction, for all connections together; default: no limit. */
  bytesPerSecond?: number;
}

export interface SlowLink {
  /** Of 127.0.0.1: what comes here reaches `LinkOptions.port` late. */
  port: number;
  /** Bytes that have come back to those who dialled. */
  delivered(): number;
  close(): Promise<void>;
}

export function slowLink(options: LinkOptions): Promise<SlowLink>;
