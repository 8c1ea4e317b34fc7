/** What service groups and certificates have in common: listing, looking up, creating one. */
import { UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import type { PageQuery } from "@uni/contract/service-operations";
import type { Static } from "typebox";
import type { Call } from "./call.ts";
import { type Answer, items } from "./outcome.ts";
import { askedReferences, basics, readPage } from "./paging.ts";
import type { Page, Reference } from "./port.ts";
import { attempt, bodyItems, readUuid } from "./references.ts";

interface Named {
  readonly uuid: string;
  readonly name: string;
}

interface Readable {
  list(account: AccountId, page: Page): readonly Named[];
  get(account: AccountId, reference: Reference): Named;
}

export async function readNamed(port: Readable, call: Call): Promise<Answer> {
  const query = call.query as Static<typeof PageQuery>;
  const shown = (item: Named) => (query.details === false ? basics(item) : item);
  const references = call.uuid === undefined ? askedReferences(call) : [{ uuid: readUuid(call.uuid) }];
  if (references.length === 0) return items(port.list(call.account, readPage(query)).map(shown));
  const entries = references.map((reference) =>
    attempt(call.log, reference, () => ({
      status: "success" as const,
      ...shown(port.get(call.account, reference)),
    })),
  );
  return items(await Promise.all(entries));
}

/** One after the other, for several items may be about the same thing. */
export async function deleteNamed(
  port: { delete(account: AccountId, reference: Reference): Promise<Named> },
  call: Call,
): Promise<Answer> {
  const answers: object[] = [];
  for (const { reference } of bodyItems<Reference>(call)) {
    answers.push(
      await attempt(call.log, reference, async () => ({
        status: "success" as const,
        ...basics(await port.delete(call.account, reference)),
      })),
    );
  }
  return items(answers);
}

/** A request that contradicts itself is refused as a whole, whoever finds that out; the rest fails as the one item. */
export async function createNamed(
  call: Call,
  name: string | undefined,
  create: () => Promise<Named>,
): Promise<Answer> {
  let refusal: UniError | undefined;
  const item = await attempt(call.log, { name }, async () => {
    try {
      return { status: "success" as const, ...(await create()) };
    } catch (error) {
      if (error instanceof UniError && whole.has(error.code)) refusal = error;
      throw error;
    }
  });
  if (refusal !== undefined) throw refusal;
  return items([item]);
}

const whole: ReadonlySet<string> = new Set(["invalid_value", "exclusive", "too_many", "not_supported"]);
