/** Certificates by ACME, if they are asked for: ties the keeper to the edge. */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { CertificateId } from "@uni/contract/ids";
import { AcmeKeeper, type KeeperDependencies } from "../services/acme/keeper.ts";
import { sessionSource } from "../services/acme/open-session.ts";
import type { AcmeOptions } from "../services/acme/options.ts";
import type { Certificates } from "../services/certificates.ts";

export interface Acme {
  /** After groups or certificates changed otherwise than by themselves. */
  readonly follow: () => void;
  readonly renew: (id: CertificateId) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface AcmeSurroundings extends Omit<KeeperDependencies, "options" | "session" | "random"> {
  /** Below it lie the keys of accounts. */
  readonly directory: string;
}

export async function openAcme(
  options: AcmeOptions | undefined,
  surroundings: AcmeSurroundings,
): Promise<Acme> {
  if (options === undefined) return withoutAcme(surroundings.certificates, surroundings.clock.now());
  const { session, close } = sessionSource(options, join(surroundings.directory, "acme"), surroundings.clock);
  const random = () => randomInt(1 << 20) / (1 << 20);
  const keeper = new AcmeKeeper({ ...surroundings, options, session, random });
  keeper.follow();
  return {
    follow: () => keeper.follow(),
    renew: (id) => keeper.renew(id),
    async close() {
      await keeper.close();
      close();
    },
  };
}

/** What an earlier daemon had issued is used until it ends; what it had not will never be. */
async function withoutAcme(certificates: Certificates, now: number): Promise<Acme> {
  for (const { id, acme, details } of certificates.catalogue.all()) {
    if (acme !== undefined && details === undefined) await certificates.remove(id, now);
  }
  return {
    follow() {},
    async renew(id) {
      const { name } = certificates.catalogue.get(id);
      throw new UniError("wrong_state", `renew certificate '${name}': this daemon obtains none`, {
        hint: "Start it with --acme-directory URL, or replace an uploaded one: uni certs update.",
      });
    },
    async close() {},
  };
}
