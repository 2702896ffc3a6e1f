/** One running program of the project, started from dist/ with --json. */
export class Program {
  constructor(name: "streamlet" | "streamlet-tracker", args: string[], onEvent?: (event: ProgramEvent) => void);
  readonly name: string;
  /** Resolves with the exit code when it has ended. */
  readonly exited: Promise<number>;
  /** The first event of a kind; rejects with what the program said if it ends before. */
  event(kind: string, timeoutMs: number): Promise<ProgramEvent>;
  /** Everything that a program said which ends by itself. */
  all(timeoutMs: number): Promise<ProgramEvent[]>;
  /** Asks it to stop and waits until it has. */
  stop(): Promise<void>;
}

/** A line of its output; product.md's "Command line" lists the fields. */
// biome-ignore lint/suspicious/noExplicitAny: the kinds of events differ in their fields, and a test checks what it reads
export type ProgramEvent = { event: string } & Record<string, any>;
