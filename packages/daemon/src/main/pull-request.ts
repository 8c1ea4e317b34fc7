import { parseCredentials } from "@uni/contract/registry-credentials";
import type { ImageSpec } from "@uni/contract/resources/image-spec";
import type { PullRequest } from "../images/port.ts";

/** How an image is to be pulled that is given as an object; the API has found its members right. */
export function pullRequestOf(spec: Omit<ImageSpec, "url">): PullRequest {
  return {
    policy: spec.pull_policy ?? "if_not_present",
    credentials: spec.credentials === undefined ? undefined : parseCredentials(spec.credentials),
    headers: spec.headers,
    mergeRequests: spec.merge_requests,
  };
}
