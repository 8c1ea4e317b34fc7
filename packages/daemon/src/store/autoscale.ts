import type { Database } from "./open.ts";

export async function saveAutoscale(db: Database, group: string, content: string): Promise<void> {
  await db
    .insertInto("autoscale")
    .values({ service_group: group, content })
    .onConflict((conflict) => conflict.column("service_group").doUpdateSet({ content }))
    .execute();
}

export async function deleteAutoscale(db: Database, group: string): Promise<void> {
  await db.deleteFrom("autoscale").where("service_group", "=", group).execute();
}

export const listAutoscale = (
  db: Database,
): Promise<{ readonly service_group: string; readonly content: string }[]> =>
  db.selectFrom("autoscale").selectAll().execute();
