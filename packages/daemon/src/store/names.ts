import { UniError } from "@uni/contract/errors";
import type { Transaction } from "kysely";
import type { Tables } from "./schema.ts";

/** One name space for instances, templates and checkpoints of an account; asked within the transaction that takes the name. */
export async function requireFreeName(
  tx: Transaction<Tables>,
  { account, name }: { readonly account: string; readonly name: string },
): Promise<void> {
  for (const table of ["instances", "saved_instances"] as const) {
    const taken = await tx
      .selectFrom(table)
      .select("uuid")
      .where("account", "=", account)
      .where("name", "=", name)
      .executeTakeFirst();
    if (taken === undefined) continue;
    throw new UniError("already_exists", `create '${name}': the name is taken`, {
      hint: "Choose another name, or remove the instance, template or checkpoint that has it.",
    });
  }
}
