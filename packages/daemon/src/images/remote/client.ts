/**
 * The distribution protocol from a client's side: repositories of registries, with all that lies between a request and
 * its answer (authentication, redirects, mirrors, repeats). What comes back is not trusted: whoever asks checks digests.
 */
import { UniError } from "@uni/contract/errors";
import { faultOfHeaders } from "@uni/contract/pull-headers";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { ImageReference } from "../reference.ts";
import {
  type Address,
  addressesOf,
  addressOfHost,
  type RegistryOptions,
  standardOptions,
} from "./address.ts";
import { type Credentials, Tokens } from "./authorization.ts";
import { openConnections } from "./connections.ts";
import { Endpoint, type EndpointRequest } from "./endpoint.ts";
import { type Answer, patience } from "./exchange.ts";
import { statusFailure } from "./failures.ts";
import { withRetries } from "./retry.ts";
import { certificateDirectories } from "./trust.ts";

export interface RemoteOptions extends Partial<RegistryOptions> {
  readonly clock: Clock;
  readonly log: Log;
  /** Of a registry as users call it; what is kept for it, if anything is. */
  readonly credentialsFor?: (registry: string) => Promise<Credentials | undefined>;
  /** One directory for each host below each of them. */
  readonly certificates?: readonly string[];
  readonly random?: () => number;
  readonly patience?: Partial<typeof patience>;
}

export interface RepositoryOptions {
  /** For the registry that the name means; else those that are kept for it. */
  readonly credentials?: Credentials | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Those that are kept for a registry are used; standard: yes. */
  readonly withKept?: boolean;
  readonly actions: "pull" | "pull,push";
  /** For errors: "pull registry.example.com/web:1.2". */
  readonly attempted: string;
  readonly onRetry?: ((reason: string, pauseMs: number) => void) | undefined;
}

export interface RemoteRequest extends Omit<EndpointRequest, "headers"> {
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers that are returned; any other is an error. Standard: 200 alone. */
  readonly expect?: readonly number[];
  /** Standard: yes, but for POST and PATCH, which the registry may have heard. */
  readonly isRepeatable?: boolean;
  /** Asks the registry itself: what a mirror gave was wrong. */
  readonly distrustMirrors?: boolean;
}

export interface Repository {
  /** The registry that it is in, as users call it. */
  readonly registry: string;
  request(request: RemoteRequest): Promise<Answer>;
}

export interface Remote {
  openRepository(reference: ImageReference, options: RepositoryOptions): Promise<Repository>;
  /** Logs in without asking for anything: `registry_denied` if the registry does not take the credentials. */
  check(registry: string, credentials: Credentials, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createRemote(options: RemoteOptions): Remote {
  const { clock, log, random = Math.random, credentialsFor } = options;
  const registries: RegistryOptions = { ...standardOptions, ...options };
  const connections = openConnections(options.certificates ?? certificateDirectories);
  const context = { clock, connections, patience: { ...patience, ...options.patience } };
  const tokens = new Tokens();

  async function openEndpoint(address: Address, given: RepositoryOptions): Promise<Endpoint> {
    const kept = () => (given.withKept === false ? undefined : credentialsFor?.(address.registry));
    const isOrigin = !address.isMirror;
    return new Endpoint({
      context,
      address,
      tokens,
      actions: given.actions,
      attempted: given.attempted,
      // A mirror is another's: it gets what is kept for it, and nothing that was given for the registry.
      credentials: (isOrigin ? given.credentials : undefined) ?? (await kept()),
      headers: isOrigin ? checkHeaders(given.headers ?? {}, given.attempted) : {},
    });
  }

  const sendTo = (endpoint: Endpoint, request: RemoteRequest, given: RepositoryOptions): Promise<Answer> => {
    const { method, signal } = request;
    const isRepeatable = request.isRepeatable ?? (method !== "POST" && method !== "PATCH");
    const onRetry = (reason: string, pauseMs: number): void => {
      log.info({ registry: endpoint.address.registry, reason, pauseMs }, "trying a registry again");
      given.onRetry?.(reason, pauseMs);
    };
    const tries = !isRepeatable ? 1 : endpoint.address.isMirror ? 2 : undefined;
    const whole = { ...request, headers: request.headers ?? {} };
    return withRetries({ clock, random, signal, onRetry }, () => endpoint.send(whole), tries);
  };

  return {
    async openRepository(reference, given) {
      const found = addressesOf(reference, registries);
      const addresses = given.actions === "pull" ? found : found.slice(-1);
      const endpoints = await Promise.all(addresses.map((address) => openEndpoint(address, given)));
      const [origin, ...mirrors] = endpoints.reverse();
      if (origin === undefined) throw new UniError("internal", `${given.attempted}: no registry`);
      let usable = mirrors.reverse();
      return {
        registry: origin.address.registry,
        async request(request) {
          const expected = request.expect ?? [200];
          for (const mirror of request.distrustMirrors === true ? [] : usable) {
            const answer = await sendTo(mirror, request, given).catch((error: unknown) => {
              request.signal.throwIfAborted();
              log.warn({ mirror: mirror.address.registry, err: error }, "a mirror failed");
              // For the rest of this work: each layer would wait for it anew.
              usable = usable.filter((each) => each !== mirror);
            });
            if (answer !== undefined && expected.includes(answer.status)) return answer;
            answer?.discard();
          }
          return expect(await sendTo(origin, request, given), origin, expected, given.attempted);
        },
      };
    },
    async check(registry, credentials, signal) {
      const given: RepositoryOptions = { credentials, actions: "pull", attempted: `log in to ${registry}` };
      const endpoint = await openEndpoint(addressOfHost(registry, registries), given);
      const answer = await sendTo(endpoint, { method: "GET", path: "", signal }, given);
      (await expect(answer, endpoint, [200], given.attempted)).discard();
    },
    close: () => connections.close(),
  };
}

async function expect(
  answer: Answer,
  { address }: Endpoint,
  expected: readonly number[],
  attempted: string,
): Promise<Answer> {
  if (expected.includes(answer.status)) return answer;
  throw await statusFailure(attempted, address.registry, answer);
}

function checkHeaders(headers: Readonly<Record<string, string>>, attempted: string): Record<string, string> {
  const fault = faultOfHeaders(headers);
  if (fault !== undefined)
    throw new UniError("invalid_value", `${attempted}: a header cannot be given: ${fault}`);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
