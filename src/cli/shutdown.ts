/** 128 + the signal's number, as shells have it. SIGPIPE stands for a reader of stdout that has gone. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGPIPE: 141 } as const;

/** The program was told to stop; `main` says goodbye to everybody and exits with this code. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  constructor(readonly exitCode: number) {
    super("interrupted");
  }
}

/** How the program ends when it is told to: a first signal interrupts the command, a second one ends the process where it stands. */
export class Shutdown {
  private readonly interruption: Promise<never>;
  private interrupt!: (reason: Interrupted) => void;
  private begun = false;

  constructor() {
    this.interruption = new Promise((_, reject) => {
      this.interrupt = reject;
    });
    // It may come while nobody waits; the next one who does still gets it.
    this.interruption.catch(() => undefined);
  }

  listen(): void {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => {
        if (this.begun) process.exit(EXIT_CODES[name]);
        this.stop(name);
      });
    }
  }

  stop(name: keyof typeof EXIT_CODES): void {
    this.begun = true;
    this.interrupt(new Interrupted(EXIT_CODES[name]));
  }

  /** `work`, or `Interrupted` as soon as the program is told to stop. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.interruption]);
  }

  /** Never resolves; rejects with `Interrupted`. */
  wait(): Promise<never> {
    return this.interruption;
  }
}
