/** Puts a proof where the authority looks for it, and takes it away again. */
import { createHash } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import type { CertificateId } from "@uni/contract/ids";
import type { Clock } from "../../base/clock.ts";
import type { EdgeChallenge } from "../../edge/port.ts";
import type { CertificateFiles } from "../certificate-files.ts";
import { makeChallengeCertificate } from "./certificate-request.ts";
import type { ChallengeBoard } from "./challenge-board.ts";
import { type DnsRecord, runDnsHook } from "./dns-hook.ts";
import type { Proof } from "./options.ts";

export interface ProofPlaces {
  readonly board: ChallengeBoard;
  /** Resolves once the edge is as the board says. */
  readonly applyEdge: () => Promise<void>;
  /** `port_in_use` naming the owner. */
  readonly checkPort: (port: number) => Promise<void>;
  readonly files: Pick<CertificateFiles, "writeChallenge" | "challengePath" | "removeChallenge">;
  readonly dnsHook: string | undefined;
  readonly clock: Clock;
}

/** Doing it again is harmless. */
export async function showProof(
  places: ProofPlaces,
  id: CertificateId,
  proof: Proof,
  signal: AbortSignal,
): Promise<void> {
  const { type, fqdn } = proof;
  if (type === "dns-01") return runDnsHook(requireHook(places, fqdn), "present", recordOf(proof), { signal });
  await places.checkPort(type === "http-01" ? 80 : 443);
  if (type === "tls-alpn-01") {
    const bundle = await makeChallengeCertificate(fqdn, proof.keyAuthorization, places.clock.now());
    await places.files.writeChallenge(id, bundle);
  }
  putOnBoard(places, id, proof);
  await places.applyEdge();
}

/** Of the edge alone: so the edge of the next daemon begins with what that of the last one showed. */
export function putOnBoard(
  { board, files }: Pick<ProofPlaces, "board" | "files">,
  id: CertificateId,
  { type, fqdn, token, keyAuthorization }: Proof,
): void {
  if (type === "dns-01") return;
  const challenge: EdgeChallenge =
    type === "http-01"
      ? { kind: "http", fqdn, token, answer: keyAuthorization }
      : { kind: "tls", fqdn, certificate: files.challengePath(id) };
  board.put(id, challenge);
}

/** Whether or not it is there. */
export async function withdrawProof(places: ProofPlaces, id: CertificateId, proof: Proof): Promise<void> {
  const { board, files, applyEdge, dnsHook } = places;
  if (proof.type === "dns-01") {
    if (dnsHook !== undefined) await runDnsHook(dnsHook, "cleanup", recordOf(proof));
    return;
  }
  board.drop(id);
  await applyEdge();
  await files.removeChallenge(id);
}

/** RFC 8555, 8.4. */
function recordOf({ fqdn, keyAuthorization }: Proof): DnsRecord {
  const value = createHash("sha256").update(keyAuthorization).digest("base64url");
  return { fqdn: `_acme-challenge.${fqdn.replace(/^\*\./, "")}`, value };
}

function requireHook({ dnsHook }: ProofPlaces, fqdn: string): string {
  if (dnsHook === undefined) throw noDnsHook(fqdn);
  return dnsHook;
}

export const noDnsHook = (fqdn: string): UniError =>
  new UniError("acme_failed", `prove by DNS that ${fqdn} is ours: there is no program that sets records`, {
    hint: "Give one: unid --acme-dns-hook PROGRAM.",
  });
