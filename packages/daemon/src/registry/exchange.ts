import type { FastifyReply, FastifyRequest } from "fastify";
import type { Repositories } from "../images/repositories/port.ts";
import type { Access, Visitor } from "./access.ts";
import type { RegistryDependencies } from "./port.ts";

/** One request, by somebody who may make it. */
export interface Exchange {
  readonly deps: RegistryDependencies;
  readonly access: Access;
  readonly visitor: Visitor;
  /** As the visitor sees them. */
  readonly repositories: Repositories;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly query: URLSearchParams;
}

export const queryOf = (request: FastifyRequest): URLSearchParams =>
  new URLSearchParams(request.url.split("?")[1] ?? "");

export const isMatch = (request: FastifyRequest, etag: string): boolean =>
  (request.headers["if-none-match"] ?? "")
    .split(",")
    .some((each) => [etag, `W/${etag}`, "*"].includes(each.trim()));
