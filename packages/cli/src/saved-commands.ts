/** What the commands of templates and of checkpoints share: both are instances that were kept. */

import { UniError } from "@uni/contract/errors";
import type { Instance } from "@uni/contract/resources/instance";
import type { SavedUpdate } from "@uni/contract/resources/saved-instance";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { OperationName } from "@uni/sdk/operation-paths";
import type { Command } from "commander";
import { type Act, type CommandModule, collect } from "./define.ts";
import { parseSeconds } from "./parse/time-span.ts";
import { referenceOf } from "./reference.ts";
import { renderTable } from "./render/table.ts";
import { formatAgo, formatBytes } from "./render/units.ts";
import { getCommand, rmCommand } from "./resource-commands.ts";
import { nowMs } from "./time.ts";

export interface SavedWords {
  readonly one: string;
  readonly many: string;
  readonly get: OperationName;
  readonly update: OperationName;
  readonly remove: OperationName;
}

export const templateWords: SavedWords = {
  one: "template",
  many: "templates",
  get: "getTemplateInstances",
  update: "updateTemplateInstances",
  remove: "deleteTemplateInstances",
};

export const checkpointWords: SavedWords = {
  one: "checkpoint",
  many: "checkpoints",
  get: "getCheckpointInstances",
  update: "updateCheckpointInstances",
  remove: "deleteCheckpointInstances",
};

export const autokillOf = (seconds: number) => ({ time_ms: Math.round(seconds * 1000) });

export const lsOf = (words: SavedWords): CommandModule => ({
  examples: [`uni ${words.one} ls`, `uni ${words.one} ls -q`],
  define(command, act) {
    command.option("--tag <tag>", "only those with the tag; repeatable", collect).action(
      act(async ({ client, out, signal }, { tag }: { readonly tag?: readonly string[] }) => {
        const query = tag === undefined ? {} : { tags: tag };
        const envelope = await client.operation(words.get, query, { signal });
        const found = envelopeItems<Instance>(envelope, "instances", `listing ${words.many}`);
        const now = nowMs();
        await out.show(found, {
          text: () =>
            renderTable(
              found,
              [
                { title: "NAME", value: ({ name }) => name, shrinkTo: 12 },
                { title: "IMAGE", value: ({ image, image_ref = image }) => image_ref, shrinkTo: 16 },
                {
                  title: "MEMORY",
                  value: ({ memory_mb }) => formatBytes(memory_mb * 1048576),
                  align: "right",
                },
                {
                  title: "STARTS",
                  value: ({ snapshot }) => (snapshot === undefined ? "cold" : "with its memory"),
                },
                { title: "TAGS", value: ({ tags = [] }) => tags.join(" "), shrinkTo: 8 },
                { title: "CREATED", value: ({ created_at }) => formatAgo(created_at, now) },
              ],
              { width: out.width },
            ),
          names: () => found.map(({ name }) => name),
        });
      }),
    );
  },
});

export const inspectOf = ({ one, many, get }: SavedWords): CommandModule =>
  getCommand<Instance>({
    examples: [`uni ${one} inspect base`],
    many,
    operation: get,
    key: "instances",
    text: (found) => `${JSON.stringify(found, null, 2)}\n`,
  });

export const rmOf = ({ one, many, remove }: SavedWords): CommandModule =>
  rmCommand({ examples: [`uni ${one} rm base`], many, operation: remove, key: "instances" });

interface UpdateOptions {
  readonly tag?: readonly string[];
  readonly rmTag?: readonly string[];
  readonly deleteLock?: boolean;
  readonly autokill?: number;
}

function updatesOf({ tag, rmTag, deleteLock, autokill }: UpdateOptions): SavedUpdate[] {
  const updates: SavedUpdate[] = [];
  if (tag !== undefined) updates.push({ prop: "tags", op: "add", value: tag });
  if (rmTag !== undefined) updates.push({ prop: "tags", op: "del", value: rmTag });
  if (deleteLock !== undefined) updates.push({ prop: "delete_lock", op: "set", value: deleteLock });
  if (autokill !== undefined) updates.push({ prop: "autokill", op: "set", value: autokillOf(autokill) });
  return updates;
}

export const updateOf = (words: SavedWords): CommandModule => ({
  examples: [
    `uni ${words.one} update base --delete-lock`,
    `uni ${words.one} update base --autokill 7d --tag old`,
  ],
  define(command, act) {
    addUpdateOptions(command.argument("<name>", words.one)).action(updateAction(words, act));
  },
});

const addUpdateOptions = (command: Command): Command =>
  command
    .option("--tag <tag>", "add a tag; repeatable", collect)
    .option("--rm-tag <tag>", "remove a tag; repeatable", collect)
    .option("--delete-lock", "refuse to remove it until the lock is taken off")
    .option("--no-delete-lock", "take the lock off")
    .option("--autokill <span>", "remove it once it has not been used for so long; 0: never", parseSeconds);

const updateAction = (words: SavedWords, act: Act) =>
  act(async ({ client, out, signal }, name: string, options: UpdateOptions) => {
    const updates = updatesOf(options);
    if (updates.length === 0) {
      throw new UniError("malformed", `updating '${name}': nothing to change was given`, {
        hint: `See uni ${words.one} update --help.`,
      });
    }
    const body = updates.map((update) => ({ ...referenceOf(name), ...update }));
    const envelope = await client.operation(words.update, { body }, { signal });
    const [updated] = envelopeItems<Instance>(envelope, "instances", `updating '${name}'`);
    await out.show({ uuid: updated?.uuid, name: updated?.name }, { text: () => `${updated?.name}\n` });
  });
