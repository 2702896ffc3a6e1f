/** How to start a VS Code whose window is a browser page. */
export interface ServerOptions {
  /** Everything it stores: settings, installed extensions, their storage. Reused where it exists. */
  dataDir: string;
  /** Extensions to install first, absolute paths of .vsix files. */
  vsix?: string[];
  /** User settings besides the quiet ones (`QUIET_SETTINGS`). */
  settings?: Record<string, unknown>;
  /** Of the web page; default 0, any free one. Rejects with EADDRINUSE if it is taken. */
  port?: number;
  /** Lets a page run mocha in its extension host; toasts are suppressed and modal dialogs throw then. */
  smokeTest?: boolean;
  /** A secret without which no page can be opened. Default: none. */
  token?: string;
  env?: Record<string, string>;
}

export interface VscodeServer {
  /** `http://localhost:PORT/` */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** The home folder that its extensions see, inside `dataDir`. */
  readonly home: string;
  /** Holds settings.json and globalStorage. */
  readonly userDir: string;
  /** The page that shows `folder`; `payload` are pairs that VS Code's web workbench understands. */
  windowUrl(folder?: string, payload?: [string, string][]): string;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /** Ends it and every extension host it has started. */
  stop(): Promise<void>;
}

export const QUIET_SETTINGS: Record<string, unknown>;
export function startVscodeServer(options: ServerOptions): Promise<VscodeServer>;
export function keepSettings(userDir: string, settings?: Record<string, unknown>): void;
export function removeDataDir(dataDir: string): void;
