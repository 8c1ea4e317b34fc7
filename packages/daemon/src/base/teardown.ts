/** A stack of undo steps, each registered where its thing was acquired, run backwards once. */
export class Teardown {
  #steps: { name: string; undo: () => Promise<void> | void }[] = [];
  #done = false;

  /** Adds a step. Added after `run`, it is run at once, so a late acquisition cannot leak. */
  async add(name: string, undo: () => Promise<void> | void): Promise<void> {
    if (this.#done) return void (await undo());
    this.#steps.push({ name, undo });
  }

  /** Forgets all steps: what they would have undone now belongs to somebody else. */
  disarm(): void {
    this.#steps = [];
  }

  /** Runs every step even if some fail; returns the failures with their step's name. */
  async run(): Promise<{ name: string; error: unknown }[]> {
    this.#done = true;
    const failures: { name: string; error: unknown }[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push({ name: step.name, error });
      }
    }
    return failures;
  }
}
