/** What a request says of an image, beyond its shape. Secrets are in no error. */
import type { PullPolicy } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import { faultOfHeaders } from "@uni/contract/pull-headers";
import { parseCredentials } from "@uni/contract/registry-credentials";
import type { ImageReference } from "@uni/contract/resources/image-spec";

/** Its reference alone where nothing else was said. */
export function readImage(given: ImageReference, policy?: PullPolicy): ImageReference {
  const spec = typeof given === "string" ? { url: given } : given;
  const { url, credentials, headers = {}, pull_policy = policy, merge_requests = true } = spec;
  if (credentials !== undefined && parseCredentials(credentials) === undefined) {
    throw new UniError(
      "invalid_value",
      "Member 'credentials' is neither 'user:password' nor the base64 of that",
    );
  }
  const fault = faultOfHeaders(headers);
  if (fault !== undefined) throw new UniError("invalid_value", `Member 'headers' cannot be sent: ${fault}`);
  const more = {
    ...(credentials === undefined ? {} : { credentials }),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(pull_policy === undefined || pull_policy === "if_not_present" ? {} : { pull_policy }),
    ...(merge_requests ? {} : { merge_requests }),
  };
  return Object.keys(more).length === 0 ? url : { url, ...more };
}
