/** The proofs that the edge shows right now, one of a certificate at most. */
import type { CertificateId } from "@uni/contract/ids";
import type { EdgeChallenge } from "../../edge/port.ts";

export class ChallengeBoard {
  readonly #shown = new Map<CertificateId, EdgeChallenge>();

  all(): readonly EdgeChallenge[] {
    return [...this.#shown.values()];
  }

  put(id: CertificateId, challenge: EdgeChallenge): void {
    this.#shown.set(id, challenge);
  }

  drop(id: CertificateId): void {
    this.#shown.delete(id);
  }
}
