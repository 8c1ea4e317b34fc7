/** The room as one account sees it: its own names and images, and those for everybody. Nothing else is there. */
import type { AccountId, Digest } from "@uni/contract/ids";
import { everybody } from "../../store/blob-holders.ts";
import type { ImageRow, ReferenceRow } from "../../store/images.ts";
import type { Catalogue, RepositoryCatalogue } from "../catalogue.ts";
import type { Room } from "../room.ts";
import { type Accounts, isPlain, Names } from "./names.ts";
import type { Holders, Tenant } from "./tenant.ts";

export interface ViewOptions {
  readonly accounts: Accounts;
  readonly holders: Holders;
  /** An instance, what is kept to make instances of, or a pin needs the image: of the account, or of any. */
  readonly isUsed: (digest: Digest, account?: AccountId) => boolean;
}

interface View extends ViewOptions {
  readonly room: Room;
  readonly names: Names;
  readonly tenant: Tenant;
}

export function viewOf(room: Room, account: AccountId, options: ViewOptions): Room {
  const names = new Names(options.accounts, account);
  const tenant = tenantOf(room, account, names, options);
  const view = { ...options, room, names, tenant };
  return { ...room, tenant, catalogue: catalogueOf(view), repositories: repositoriesOf(view) };
}

function tenantOf(room: Room, account: AccountId, names: Names, { holders, isUsed }: ViewOptions): Tenant {
  const { blobs, clock } = room;
  const has = async (digest: Digest): Promise<boolean> =>
    (await holders.holds(names.readers, digest)) && (await blobs.has(digest));
  return {
    account,
    isMachine: names.isMachine,
    keyOf: (name) => names.keyOf(name),
    has,
    sees: names.isMachine ? (digest) => blobs.has(digest) : has,
    keep: (digests) => holders.add([account], digests, clock.now()),
    share: (name, document) =>
      holders.addBelow(names.holdersFor(name), document, {
        heldBy: names.isMachine ? undefined : names.readers,
        now: clock.now(),
      }),
    holds: async (digest) => names.isMachine || (await holders.holds([account], digest)),
    giveUp: (digest) => holders.remove(account, digest, names.scope),
    async unshare(digest, removed) {
      if (names.isMachine && removed.some(isPlain)) await holders.remove(everybody, digest, "plain");
    },
    isLeft: async (digest) =>
      isUsed(digest) || (await holders.of(digest)).some((holder) => holder !== everybody),
  };
}

function catalogueOf({ room, names, holders, tenant, isUsed }: View): Catalogue {
  const { clock, all } = room;
  const { catalogue } = all;
  const references = async (): Promise<ReferenceRow[]> => {
    const rows = await catalogue.references();
    if (names.isMachine) return rows.filter(({ reference }) => names.shownAs(reference) !== undefined);
    const held = await holders.targetsOf(names.readers);
    const shown = rows.flatMap((row) => {
      const reference = held.has(row.target) ? names.shownAs(row.reference) : undefined;
      return reference === undefined
        ? []
        : [{ ...row, reference, isOwn: names.keyOf(reference) === row.reference }];
    });
    // A name of one's own hides one for everybody that is spelled the same.
    const own = new Set(shown.filter(({ isOwn }) => isOwn).map(({ reference }) => reference));
    return shown
      .filter(({ isOwn, reference }) => isOwn || !own.has(reference))
      .map(({ isOwn: _, ...row }) => row)
      .sort((a, b) => (a.reference < b.reference ? -1 : 1));
  };
  const listOwn = async (): Promise<ImageRow[]> => {
    const whole = await holders.imagesOf(names.readers);
    const named = Map.groupBy(await references(), ({ digest }) => digest);
    return (await catalogue.list())
      .filter(({ digest }) => whole.has(digest) || isUsed(digest, tenant.account))
      .map((row) => ({
        ...row,
        references: (named.get(row.digest) ?? []).map(({ reference }) => reference),
      }));
  };
  return {
    references,
    list: names.isMachine
      ? async () => (await catalogue.list()).map((row) => withShown(row, names))
      : listOwn,
    async put(row, given, indexes = []) {
      const all = [tenant.account, ...given.flatMap((name) => names.holdersFor(name))];
      await holders.add([...new Set(all)], [...new Set([...row.blobs, ...indexes])], clock.now());
      await catalogue.put(
        row,
        given.map((name) => names.keyOf(name)),
        indexes,
      );
    },
    removeReference: (reference) => catalogue.removeReference(names.keyOf(reference)),
    delete: (digest) => catalogue.delete(digest),
  };
}

function withShown(row: ImageRow, names: Names): ImageRow {
  const shown = row.references.filter((each) => names.shownAs(each) !== undefined);
  return shown.length === row.references.length ? row : { ...row, references: shown };
}

function repositoriesOf({ room, names, holders }: View): RepositoryCatalogue {
  const { clock, all } = room;
  const { repositories } = all;
  const held = (digest: Digest): Promise<boolean> | boolean =>
    names.isMachine || holders.holds(names.readers, digest);
  const find = async (key: string, name: string): Promise<ReferenceRow | undefined> => {
    const row = await repositories.reference(key);
    return row !== undefined && (await held(row.target)) ? { ...row, reference: name } : undefined;
  };
  return {
    ...repositories,
    async reference(name) {
      const own = await find(names.keyOf(name), name);
      return own ?? (names.isMachine || !isPlain(name) ? undefined : find(name, name));
    },
    isDocument: async (digest) => (await held(digest)) && (await repositories.isDocument(digest)),
    document: async (digest) => ((await held(digest)) ? repositories.document(digest) : undefined),
    contains: async (repository, digest, kind) =>
      (await held(digest)) && (await repositories.contains(repository, digest, kind)),
    async putBlob(repository, digest, now) {
      await holders.add(names.holdersFor(repository), [digest], clock.now());
      await repositories.putBlob(repository, digest, now);
    },
    async putManifest(put) {
      await holders.add(names.holdersFor(put.repository), [put.row.digest], clock.now());
      await repositories.putManifest(put);
    },
    names: async () => (await repositories.names()).filter((name) => names.shownAs(name) === name),
  };
}
