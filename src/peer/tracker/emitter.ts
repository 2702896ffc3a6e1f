/** One kind of event. A listener that throws does not keep the others from hearing of it; its error reaches the process. */
export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => void>();

  /** Bound, so that it can be handed out as `onDidX`. */
  readonly on = (listener: (value: T) => void): (() => void) => {
    const entry = (value: T): void => listener(value);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  };

  fire(value: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
