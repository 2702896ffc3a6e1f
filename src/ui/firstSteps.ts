/**
 * Ticks the steps of the walkthrough that were done before anybody has opened it: VS Code looks at a step's completion events from
 * when its page is first opened, and takes for not done what was so before. Which event ends which step says the manifest.
 */
import type { ContextKey } from "./contributions";

/** VS Code's own command; its argument is the full id of a step. */
export const TICK_COMMAND = "welcome.markStepComplete";

/** Ids of steps that were ticked, once for all: whoever takes a tick away is not contradicted. */
const TICKED_KEY = "streamlet.firstSteps";

interface Walkthrough {
  id: string;
  steps: { id: string; completionEvents: string[] }[];
}

export interface FirstStepsHost {
  /** `contributes.walkthroughs` of the manifest. */
  walkthroughs: readonly Walkthrough[];
  /** publisher.name */
  extensionId: string;
  /** Its window writes `globalState`, and no other. */
  isOwner(): boolean;
  store: {
    get(key: string): readonly string[] | undefined;
    update(key: string, value: readonly string[]): Thenable<void>;
  };
  /** Rejects where VS Code does not know the step yet. */
  tick(step: string): Thenable<unknown>;
  /** It is tried again at the next start. */
  onError(error: unknown): void;
}

export class FirstSteps {
  /** Full ids of steps by what ends them. */
  private readonly ends = new Map<string, string[]>();
  private readonly tried = new Set<string>();
  private saving: Promise<void> = Promise.resolve();

  constructor(private readonly host: FirstStepsHost) {
    for (const { id, steps } of host.walkthroughs) {
      for (const step of steps) {
        for (const event of step.completionEvents) {
          const full = `${host.extensionId}#${id}#${step.id}`;
          this.ends.set(event, [...(this.ends.get(event) ?? []), full]);
        }
      }
    }
  }

  onContext(key: ContextKey, value: unknown): void {
    this.done(value === true ? `onContext:${key}` : `onContext:${key} == ${value}`);
  }

  onCommand(command: string): void {
    this.done(`onCommand:${command}`);
  }

  private done(event: string): void {
    if (!this.host.isOwner()) return;
    for (const step of this.ends.get(event) ?? []) {
      if (this.tried.has(step) || this.ticked().includes(step)) continue;
      this.tried.add(step);
      this.saving = this.saving.then(() => this.tick(step)).catch((error) => this.host.onError(error));
    }
  }

  private async tick(step: string): Promise<void> {
    await this.host.tick(step);
    await this.host.store.update(TICKED_KEY, [...this.ticked(), step]);
  }

  private ticked(): readonly string[] {
    return this.host.store.get(TICKED_KEY) ?? [];
  }
}
