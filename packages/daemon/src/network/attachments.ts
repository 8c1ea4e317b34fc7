import { UniError } from "@uni/contract/errors";
import type { Accounts } from "./accounts.ts";
import type { Change } from "./changes.ts";
import type { Attachment } from "./port.ts";
import { refuseTaken } from "./published-ports.ts";

/** Every attachment that this process has been told of: who has which address and ports, and who sleeps. */
export class Attachments {
  readonly #accounts: Pick<Accounts, "claim">;
  readonly #byAddress = new Map<string, Attachment>();

  constructor(accounts: Pick<Accounts, "claim">) {
    this.#accounts = accounts;
  }

  /** As they are now, by address. */
  copy(): ReadonlyMap<string, Attachment> {
    return new Map(this.#byAddress);
  }

  all(): readonly Attachment[] {
    return [...this.#byAddress.values()];
  }

  find(address: string): Attachment | undefined {
    return this.#byAddress.get(address);
  }

  /** Addresses. */
  sleepers(): readonly string[] {
    return this.all().flatMap(({ asleep, address }) => (asleep === undefined ? [] : [address]));
  }

  /** What is against a change in the light of the others; if nothing is, it counts as known from here on. */
  admit({ kind, attachment }: Change): unknown {
    if (kind === "detach") return void this.#byAddress.delete(attachment.address);
    try {
      const others = this.all().filter(({ instanceId }) => instanceId !== attachment.instanceId);
      const rival = others.find(({ address }) => address === attachment.address);
      if (rival !== undefined) {
        throw new UniError("in_use", `address ${attachment.address}: instance ${rival.instanceId} has it`);
      }
      refuseTaken(attachment.ports, others);
      this.#accounts.claim(attachment.account, attachment.address);
      this.#byAddress.set(attachment.address, this.#after(kind, attachment));
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** `before`: undefined if nobody was there. */
  restore(address: string, before: Attachment | undefined): void {
    if (before === undefined) this.#byAddress.delete(address);
    else this.#byAddress.set(address, before);
  }

  replaceAll(wanted: readonly Attachment[]): void {
    this.#byAddress.clear();
    for (const attachment of wanted) this.#byAddress.set(attachment.address, attachment);
  }

  /** One that is published otherwise sleeps or not as before. */
  #after(kind: Change["kind"], attachment: Attachment): Attachment {
    if (kind !== "publish") return attachment;
    return { ...attachment, ...this.find(attachment.address), ports: attachment.ports };
  }
}
