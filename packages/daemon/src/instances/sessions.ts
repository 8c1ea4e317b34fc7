/** Commands and copies under way in an instance: while there are any, it is not idle. */
export class Sessions {
  #open = 0;

  get count(): number {
    return this.#open;
  }

  /** The returned function ends it; harmless when called again. */
  begin(): () => void {
    this.#open += 1;
    let isOpen = true;
    return () => {
      if (isOpen) this.#open -= 1;
      isOpen = false;
    };
  }
}
