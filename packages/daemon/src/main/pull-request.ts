import { UniError } from "@uni/contract/errors";
import type { ImageSpec } from "@uni/contract/resources/image-spec";
import type { PullRequest } from "../images/port.ts";

/** How an image is to be pulled that is given as an object. */
export function pullRequestOf(spec: Omit<ImageSpec, "url">): PullRequest {
  return {
    policy: spec.pull_policy ?? "if_not_present",
    credentials: spec.credentials === undefined ? undefined : readCredentials(spec.credentials),
    headers: spec.headers,
    mergeRequests: spec.merge_requests,
  };
}

/** "USER:PASSWORD", or the same in base64, as Docker's configuration has it. */
function readCredentials(text: string): { readonly username: string; readonly password: string } {
  const plain = text.includes(":") ? text : Buffer.from(text, "base64").toString("utf8");
  const colon = plain.indexOf(":");
  if (colon > 0) return { username: plain.slice(0, colon), password: plain.slice(colon + 1) };
  throw new UniError("invalid_value", "Member 'credentials' is neither USER:PASSWORD nor that in base64");
}
