/** Names of blobs and roots that running work counts on, so that a sweep leaves them alone. In memory: a crash ends all work. */
export class Leases {
  readonly #holders = new Map<string, number>();

  /** Takes effect at once; the returned function gives all of them back. */
  hold(names: Iterable<string>): () => void {
    const held = [...names];
    for (const name of held) this.#holders.set(name, (this.#holders.get(name) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      for (const name of held) {
        const left = (this.#holders.get(name) ?? 1) - 1;
        if (left === 0) this.#holders.delete(name);
        else this.#holders.set(name, left);
      }
    };
  }

  has(name: string): boolean {
    return this.#holders.has(name);
  }
}
