/** Paths of the distribution protocol. Names have slashes, so what comes last decides. */
import { type Digest, isDigest } from "@uni/contract/ids";
import { digestProblem } from "../images/digest.ts";
import { parseReference } from "../images/reference.ts";
import { refusal } from "./refusals.ts";

export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "token" }
  | { readonly kind: "catalog" }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: Digest }
  /** `reference` is a tag or a digest. */
  | { readonly kind: "manifest"; readonly repository: string; readonly reference: string }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: Digest }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string };

const maxNameLength = 255;
const namePattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;

export function readRoute(url: string): Route {
  const path = decode(url.split("?", 1)[0] ?? "").replace(/^\/v2\/?/, "");
  if (path === "") return { kind: "base" };
  if (path === "token") return { kind: "token" };
  if (path === "_catalog") return { kind: "catalog" };
  const match =
    /^(?<name>.+)\/(?:(?<tags>tags\/list)|manifests\/(?<reference>[^/]+)|referrers\/(?<subject>[^/]+)|(?<uploads>blobs\/uploads\/?)|blobs\/uploads\/(?<upload>[^/]+)|blobs\/(?<blob>[^/]+))$/.exec(
      path,
    );
  const { name = "", tags, reference, subject, uploads, upload, blob } = match?.groups ?? {};
  if (match === null) throw refusal("UNSUPPORTED", 404, `no such endpoint: /v2/${path.slice(0, 300)}`);
  const repository = readName(name);
  if (tags !== undefined) return { kind: "tags", repository };
  if (uploads !== undefined) return { kind: "uploads", repository };
  if (upload !== undefined) return { kind: "upload", repository, id: upload };
  if (blob !== undefined) return { kind: "blob", repository, digest: readDigest(blob) };
  if (subject !== undefined) return { kind: "referrers", repository, digest: readDigest(subject) };
  return { kind: "manifest", repository, reference: readTagOrDigest(reference ?? "") };
}

export function readName(name: string): string {
  if (name.length > maxNameLength || !namePattern.test(name)) {
    throw refusal("NAME_INVALID", 400, `"${name.slice(0, 300)}" is not the name of a repository`);
  }
  // One that is spelled with the host that people leave out is the same.
  return parseReference(name).name;
}

export function readDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw refusal("DIGEST_INVALID", 400, digestProblem(text));
}

function readTagOrDigest(text: string): string {
  if (text.includes(":")) return readDigest(text);
  if (tagPattern.test(text)) return text;
  throw refusal("MANIFEST_INVALID", 400, `"${text.slice(0, 200)}" is neither a tag nor a digest`);
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw refusal("NAME_INVALID", 400, "the path is malformed");
  }
}
