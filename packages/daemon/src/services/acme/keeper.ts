/**
 * Obtains and renews the certificates of full names that nobody uploaded one for. What is wanted follows the groups; how far
 * each one is, is in the store, so that the next daemon goes on where this one ended.
 */

import { toUniError, UniError } from "@uni/contract/errors";
import type { CertificateId } from "@uni/contract/ids";
import type { Clock } from "../../base/clock.ts";
import { withDeadline } from "../../base/deadline.ts";
import { KeyedQueue } from "../../base/keyed-queue.ts";
import type { Log } from "../../base/log.ts";
import { TaskQueue } from "../../base/task-queue.ts";
import { namesToObtain, usersOf } from "../certificate-choice.ts";
import type { Certificates } from "../certificates.ts";
import type { CertificateRecord } from "../record.ts";
import type { ServiceGroups } from "../service-groups.ts";
import { makeKey } from "./certificate-request.ts";
import type { AcmeOptions, Proof } from "./options.ts";
import { obtain } from "./order.ts";
import { AcmeProblem } from "./problem.ts";
import { challengesFor, nextAttempt, renewalTime } from "./schedule.ts";
import type { AcmeAuthority } from "./session.ts";
import { noDnsHook, type ProofPlaces, putOnBoard, showProof, withdrawProof } from "./show-proof.ts";

export interface KeeperDependencies extends Pick<ProofPlaces, "board" | "applyEdge" | "checkPort"> {
  readonly options: Pick<AcmeOptions, "challenge" | "dnsHook">;
  readonly session: () => Promise<AcmeAuthority>;
  readonly certificates: Certificates;
  readonly groups: ServiceGroups;
  readonly nodeDomain: string;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
}

/** An attempt waits for DNS, and for authorities that validate from several places. */
const attemptMs = 900_000;
/** A DNS hook that clears a record is not waited for longer: the next daemon clears it. */
const closeMs = 5_000;
/** So many names are worked on at a time. */
const lanes = 4;

export class AcmeKeeper {
  readonly #deps: KeeperDependencies;
  readonly #timers = new Map<CertificateId, () => void>();
  readonly #underWay = new Map<CertificateId, AbortController>();
  readonly #lanes = new KeyedQueue<number>();
  readonly #changes = new TaskQueue();
  readonly #work = new Set<Promise<void>>();
  readonly #unfollow: () => void;
  #isClosed = false;

  constructor(deps: KeeperDependencies) {
    this.#deps = deps;
    for (const { id, acme } of deps.certificates.catalogue.all()) {
      if (acme?.proof !== undefined) putOnBoard({ ...deps, files: deps.certificates.files }, id, acme.proof);
    }
    this.#unfollow = deps.groups.onChange(() => this.follow());
  }

  /** Brings what is obtained in line with groups and certificates as they are now. */
  follow(): void {
    this.#changes
      .run(() => this.#follow())
      .catch((error) => this.#deps.log.error({ err: error }, "certificates cannot be kept up"));
  }

  /** Tries at once, whatever the schedule says. */
  async renew(id: CertificateId): Promise<void> {
    const { certificates, clock } = this.#deps;
    const { name, acme } = certificates.catalogue.get(id);
    if (acme === undefined) {
      throw new UniError("wrong_state", `renew certificate '${name}': it was uploaded`, {
        hint: "Replace it: uni certs update.",
      });
    }
    await certificates.saveProgress(id, { nextAt: clock.now() });
    this.follow();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unfollow();
    for (const cancel of this.#timers.values()) cancel();
    for (const controller of this.#underWay.values()) controller.abort(new Error("the daemon ends"));
    await this.#changes.idle();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#deps.clock.after(closeMs, resolve);
    await Promise.race([Promise.all(this.#work), late]);
    cancel();
  }

  async #follow(): Promise<void> {
    const { certificates, groups, nodeDomain, clock } = this.#deps;
    for (const group of groups.catalogue.all()) {
      const own = certificates.catalogue.ofAccount(group.account);
      for (const fqdn of namesToObtain(group, nodeDomain, own)) {
        if (own.some(({ acme, commonName }) => acme !== undefined && commonName === fqdn)) continue;
        await certificates.request(group.account, fqdn, clock.now());
      }
    }
    for (const record of certificates.catalogue.all()) {
      if (record.acme === undefined || this.#isClosed) continue;
      if (record.details === undefined && !this.#isWanted(record)) await this.#forget(record);
      else this.#schedule(record.id);
    }
    const isGone = (id: CertificateId) => certificates.catalogue.find(id) === undefined;
    for (const id of this.#timers.keys()) if (isGone(id)) this.#cancel(id);
    for (const [id, controller] of this.#underWay) {
      if (isGone(id)) controller.abort(new Error("the certificate was removed"));
    }
  }

  #isWanted({ id, account, commonName }: CertificateRecord): boolean {
    const { certificates, groups, nodeDomain } = this.#deps;
    const all = groups.catalogue.all();
    if (usersOf(id, all, nodeDomain, certificates.catalogue.all()).length > 0) return true;
    const own = certificates.catalogue.ofAccount(account);
    return all.some(
      (group) => group.account === account && namesToObtain(group, nodeDomain, own).includes(commonName),
    );
  }

  #schedule(id: CertificateId): void {
    this.#cancel(id);
    const { certificates, clock } = this.#deps;
    const acme = certificates.catalogue.find(id)?.acme;
    if (acme === undefined || this.#isClosed || this.#underWay.has(id)) return;
    const delay = Math.max(0, acme.nextAt - clock.now());
    this.#timers.set(
      id,
      // A timer may be shorter than it was asked to be.
      clock.after(delay, () => (acme.nextAt > clock.now() ? this.#schedule(id) : this.#begin(id))),
    );
  }

  #cancel(id: CertificateId): void {
    this.#timers.get(id)?.();
    this.#timers.delete(id);
  }

  #begin(id: CertificateId): void {
    this.#timers.delete(id);
    const controller = new AbortController();
    this.#underWay.set(id, controller);
    const lane = (this.#deps.certificates.catalogue.find(id)?.sequence ?? 0) % lanes;
    const work = this.#lanes
      .run(lane, () => this.#attempt(id, controller.signal))
      .catch((error) =>
        this.#deps.log.error({ err: error, certificate: id }, "a certificate cannot be kept up"),
      )
      .finally(() => {
        this.#underWay.delete(id);
        this.#work.delete(work);
        this.#schedule(id);
      });
    this.#work.add(work);
  }

  async #attempt(id: CertificateId, signal: AbortSignal): Promise<void> {
    const { certificates, clock, log } = this.#deps;
    const record = certificates.catalogue.find(id);
    if (record?.acme === undefined || signal.aborted) return;
    if (!this.#isWanted(record)) return this.#forget(record);
    try {
      const attempted = `obtain a certificate for ${record.commonName}`;
      const bounds = { clock, ms: attemptMs, attempted, signal };
      const chain = await withDeadline(bounds, (bounded) => this.#obtain(record, bounded));
      await this.#install(record, chain);
      log.info({ certificate: record.name, domain: record.commonName }, "certificate issued");
    } catch (thrown) {
      // Ended with the daemon, or with the certificate: no failure of anybody's.
      if (!signal.aborted) await this.#fail(record, toUniError(thrown, "obtain a certificate"));
    }
    await this.#withdrawLeft(record);
  }

  async #obtain(record: CertificateRecord, signal: AbortSignal): Promise<string> {
    const { id, commonName: fqdn, acme } = record;
    const { options, certificates, clock, session } = this.#deps;
    const choices = challengesFor(fqdn, options.challenge, options.dnsHook !== undefined);
    const challenge = choices[(acme?.failures ?? 0) % choices.length];
    if (challenge === undefined) throw noDnsHook(fqdn);
    return obtain({
      fqdn,
      challenge,
      begun: acme?.orderUrl,
      session: await session(),
      clock,
      signal,
      keepOrder: (orderUrl) => certificates.saveProgress(id, { orderUrl }),
      key: () => certificates.files.nextKey(id, makeKey),
      show: (proof, bounded) => this.#show(record, proof, bounded),
      keepAsked: (proof) => certificates.saveProgress(id, { proof: { ...proof, isAsked: true } }),
      withdraw: (proof) => this.#withdraw(record, proof),
    });
  }

  /** Stored before anything is to be seen, so that whoever comes next can take it away. */
  async #show({ id }: CertificateRecord, wanted: Proof, signal: AbortSignal): Promise<Proof> {
    const { certificates } = this.#deps;
    const left = certificates.catalogue.find(id)?.acme?.proof;
    const isSame = left?.token === wanted.token && left.type === wanted.type;
    if (left !== undefined && !isSame) await withdrawProof(this.#places(), id, left);
    const proof = isSame ? left : wanted;
    await certificates.saveProgress(id, { proof });
    await showProof(this.#places(), id, proof, signal);
    return proof;
  }

  /** What cannot be taken away stays stored, for the next attempt to try. */
  async #withdraw({ id, name }: CertificateRecord, proof: Proof): Promise<void> {
    // The next daemon takes up the order with its proof.
    if (this.#isClosed) return;
    try {
      await withdrawProof(this.#places(), id, proof);
      await this.#deps.certificates.saveProgress(id, { proof: undefined });
    } catch (error) {
      this.#deps.log.warn({ err: error, certificate: name }, "a proof could not be taken away");
    }
  }

  async #withdrawLeft(record: CertificateRecord): Promise<void> {
    const proof = this.#deps.certificates.catalogue.find(record.id)?.acme?.proof;
    if (proof !== undefined) await this.#withdraw(record, proof);
  }

  #places(): ProofPlaces {
    const { options, certificates, clock, board, applyEdge, checkPort } = this.#deps;
    return { board, applyEdge, checkPort, clock, files: certificates.files, dnsHook: options.dnsHook };
  }

  async #install({ id }: CertificateRecord, chain: string): Promise<void> {
    const { certificates, clock, random, applyEdge } = this.#deps;
    const pkey = await certificates.files.nextKey(id, makeKey);
    const { notBefore, notAfter } = await certificates.install(id, { chain, pkey }, clock.now());
    await certificates.files.dropNextKey(id);
    await certificates.saveProgress(id, {
      failures: 0,
      nextAt: renewalTime(notBefore, notAfter, random()),
      reason: undefined,
      orderUrl: undefined,
    });
    await applyEdge();
  }

  async #fail({ id, name, commonName }: CertificateRecord, error: UniError): Promise<void> {
    const { certificates, clock, random, log } = this.#deps;
    const failures = (certificates.catalogue.find(id)?.acme?.failures ?? 0) + 1;
    const retryAfterMs = error instanceof AcmeProblem ? error.retryAfterMs : undefined;
    const nextAt = nextAttempt(clock.now(), failures, retryAfterMs, random());
    log.warn({ err: error, certificate: name, domain: commonName, failures }, "no certificate was issued");
    // An order that the authority did not refuse is taken up again.
    const goesOn = ["unreachable", "timed_out"].includes(error.code) || retryAfterMs !== undefined;
    const isOver = goesOn ? {} : { orderUrl: undefined };
    const reason = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
    await certificates.saveProgress(id, { failures, nextAt, reason, ...isOver });
  }

  /** Nobody uses it, and nobody will. */
  async #forget(record: CertificateRecord): Promise<void> {
    const { certificates, clock } = this.#deps;
    this.#underWay.get(record.id)?.abort(new Error("the certificate is not wanted any more"));
    await this.#withdrawLeft(record);
    await certificates.remove(record.id, clock.now());
  }
}
