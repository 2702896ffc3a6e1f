/** Rows per page: enough to scroll through, few enough that a refresh is not felt. */
export const PAGE_SIZE = 200;

/** Pages that are open; a list that shrinks keeps them, so that it looks the same when it grows again. */
export class Pages {
  private count = 1;
  get limit(): number {
    return this.count * PAGE_SIZE;
  }
  more(): void {
    this.count += 1;
  }
  reset(): void {
    this.count = 1;
  }
}
