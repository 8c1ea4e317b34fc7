import { toUniError, UniError } from "@uni/contract/errors";
import type { FastifyError } from "fastify";

/** What Fastify and Node refuse before a handler runs, in our words. */
export function fromFastify(error: FastifyError): UniError {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new UniError("too_large", "The request body is too large", {
        hint: "At most 8 MiB are taken.",
        cause: error,
      });
    case "FST_ERR_BAD_URL":
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new UniError("malformed", "The path of the request is malformed", { cause: error });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new UniError("malformed", error.message, { cause: error });
    case "ECONNRESET":
      return new UniError("unreachable", "The client went away", { cause: error });
    default:
      return toUniError(error, "Internal error");
  }
}
