/** The config document of an image as JSON: what Uni does not know of it (health checks, shells) is kept. */
import { asObject, asStringMap, asStrings, type JsonObject, member, optional } from "../json-check.ts";
import type { ConfigChanges } from "../port.ts";

const what = "the config of an image";

/** The upper one holds where it says something; environment, labels and ports of both are there. */
export function stackConfigs(lower: JsonObject, upper: JsonObject): JsonObject {
  const [below, above] = [configOf(lower), configOf(upper)];
  const said = Object.fromEntries(Object.entries(above).filter(([, value]) => saysSomething(value)));
  const commands = commandsOf(
    saysSomething(above["Entrypoint"]) || saysSomething(above["Cmd"]) ? above : below,
  );
  const config = {
    ...below,
    ...said,
    ...commands,
    Env: mergeEnvironment(environmentOf(below), environmentOf(above)),
    Labels: { ...labelsOf(below), ...labelsOf(above) },
    ExposedPorts: { ...objectOf(below, "ExposedPorts"), ...objectOf(above, "ExposedPorts") },
  };
  // The history of one part says nothing about the layers of the other.
  const { history: _, ...document } = upper;
  return { ...document, config };
}

export function changeConfig(document: JsonObject, changes: ConfigChanges): JsonObject {
  const config = configOf(document);
  const { entrypoint, cmd, env, labels, user, workingDirectory, stopSignal } = changes;
  return {
    ...document,
    config: {
      ...config,
      // As in a Dockerfile: arguments of another entry point mean nothing to this one.
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint, Cmd: [] }),
      ...(cmd === undefined ? {} : { Cmd: cmd }),
      ...(env === undefined ? {} : { Env: mergeEnvironment(environmentOf(config), assignments(env)) }),
      ...(labels === undefined ? {} : { Labels: labels }),
      ...(user === undefined ? {} : { User: user }),
      ...(workingDirectory === undefined ? {} : { WorkingDir: workingDirectory }),
      ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    },
  };
}

const configOf = (document: JsonObject): JsonObject => objectOf(document, "config");

const objectOf = (document: JsonObject, name: string): JsonObject =>
  optional(member(document, name), `${what}: ${name}`, asObject) ?? {};

const labelsOf = (config: JsonObject): Record<string, string> =>
  optional(member(config, "Labels"), `${what}: Labels`, asStringMap) ?? {};

const environmentOf = (config: JsonObject): string[] =>
  optional(member(config, "Env"), `${what}: Env`, asStrings) ?? [];

const commandsOf = (config: JsonObject): JsonObject => ({
  Entrypoint: member(config, "Entrypoint") ?? [],
  Cmd: member(config, "Cmd") ?? [],
});

const saysSomething = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);

const assignments = (env: Readonly<Record<string, string>>): string[] =>
  Object.entries(env).map(([key, value]) => `${key}=${value}`);

const nameOf = (assignment: string): string => assignment.split("=", 1)[0] ?? "";

/** A variable that is given anew keeps its place. */
function mergeEnvironment(before: readonly string[], more: readonly string[]): string[] {
  const byName = new Map(before.map((each) => [nameOf(each), each]));
  for (const each of more) byName.set(nameOf(each), each);
  return [...byName.values()];
}
