/** `get` and `rm` of what the REST API keeps by name or UUID: certificates, service groups, templates and so on. */
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { OperationName } from "@uni/sdk/operation-paths";
import type { Context } from "./context.ts";
import type { CommandModule } from "./define.ts";
import { forEachItem } from "./items.ts";
import { queryReference, referenceOf } from "./reference.ts";

interface ResourceCommand {
  readonly examples: readonly string[];
  /** What the help calls its arguments. */
  readonly many: string;
  readonly operation: OperationName;
  /** The member of the answer's data that holds the items. */
  readonly key: string;
}

interface GetCommand<Resource> extends ResourceCommand {
  readonly text: (resource: Resource) => string;
}

export const getCommand = <Resource>({ text, ...about }: GetCommand<Resource>): CommandModule =>
  commandForEach(about, {
    act: async ({ client, signal }, name) => {
      const envelope = await client.operation(about.operation, queryReference(name), { signal });
      const [found] = envelopeItems<Resource>(envelope, about.key, `finding '${name}'`);
      return found as Resource;
    },
    text,
  });

export const rmCommand = (about: ResourceCommand): CommandModule =>
  commandForEach(about, {
    act: async ({ client, signal }, name) => {
      const envelope = await client.operation(about.operation, { body: [referenceOf(name)] }, { signal });
      const [gone] = envelopeItems<Removed>(envelope, about.key, `removing '${name}'`);
      return { uuid: gone?.uuid, name: gone?.name };
    },
    text: (_gone, name) => `${name}\n`,
  });

interface Removed {
  readonly uuid?: string;
  readonly name?: string;
}

interface Deed<Result> {
  readonly act: (context: Context, name: string) => Promise<Result>;
  readonly text: (result: Result, name: string) => string;
}

const commandForEach = <Result>(
  { examples, many }: ResourceCommand,
  { act: actOn, text }: Deed<Result>,
): CommandModule => ({
  examples,
  define(command, act) {
    command
      .argument("<names...>", many)
      .action(
        act((context, names: string[]) => forEachItem(context, names, (name) => actOn(context, name), text)),
      );
  },
});
