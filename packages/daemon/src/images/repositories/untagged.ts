/** Which manifests of repositories are left over: no tag leads to them, and they say nothing about one that stays. */
import type { Digest } from "@uni/contract/ids";
import type { ReferenceRow } from "../../store/images.ts";
import type { ContentRow } from "../../store/repositories.ts";
import type { Room } from "../room.ts";

export interface RepositoryState {
  readonly contents: readonly ContentRow[];
  readonly references: readonly ReferenceRow[];
  readonly links: {
    readonly names: readonly { readonly manifest: Digest; readonly digest: Digest }[];
    readonly subjects: readonly { readonly digest: Digest; readonly subject: Digest }[];
  };
}

export async function repositoryState({
  all: { catalogue, repositories },
}: Pick<Room, "all">): Promise<RepositoryState> {
  return {
    contents: await repositories.contents(),
    references: await catalogue.references(),
    links: await repositories.links(),
  };
}

export function untaggedManifests({ contents, references, links }: RepositoryState): ContentRow[] {
  const names = Map.groupBy(links.names, ({ manifest }) => manifest);
  const subjects = new Map(links.subjects.map(({ digest, subject }) => [digest, subject]));
  const manifests = contents.filter(({ kind }) => kind === "manifest");
  return [...Map.groupBy(manifests, ({ repository }) => repository)].flatMap(([repository, own]) => {
    const kept = new Set<Digest>();
    const keep = (digest: Digest): void => {
      if (kept.has(digest)) return;
      kept.add(digest);
      for (const named of names.get(digest) ?? []) keep(named.digest);
    };
    for (const { reference, target } of references) {
      if (reference.slice(0, reference.lastIndexOf(":")) === repository) keep(target);
    }
    // What says something about a referrer may itself be said something about.
    let before: number;
    do {
      before = kept.size;
      for (const { digest } of own) {
        const subject = subjects.get(digest);
        if (subject !== undefined && kept.has(subject)) keep(digest);
      }
    } while (kept.size > before);
    return own.filter(({ digest }) => !kept.has(digest));
  });
}

/** All that a manifest leads to, and what says something about any of it. */
export function belongingTo(target: Digest, links: RepositoryState["links"]): ReadonlySet<Digest> {
  const names = Map.groupBy(links.names, ({ manifest }) => manifest);
  const referrers = Map.groupBy(links.subjects, ({ subject }) => subject);
  const found = new Set<Digest>();
  const add = (digest: Digest): void => {
    if (found.has(digest)) return;
    found.add(digest);
    for (const named of names.get(digest) ?? []) add(named.digest);
    for (const referrer of referrers.get(digest) ?? []) add(referrer.digest);
  };
  add(target);
  return found;
}
