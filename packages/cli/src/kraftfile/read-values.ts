import { imageArchitecture } from "@uni/contract/architecture";
import { UniError } from "@uni/contract/errors";
import { sleepOfLabels } from "@uni/contract/image-labels";
import type { Item } from "./item.ts";
import type { Target } from "./kraftfile.ts";
import { shellWords } from "./shell-words.ts";

const labelKey = /^[a-zA-Z0-9._/-]+$/;
const versionPattern = /^v?(\d+)\.(\d+)(?:\.\d+)?$/;

/** Returns what is to be said about it. */
export function checkVersion(top: Item, members: ReadonlyMap<string, Item>): string[] {
  const [spec, specification] = [members.get("spec"), members.get("specification")];
  if (spec !== undefined && specification !== undefined) {
    throw specification.error("the version is in 'spec' already; one of the two is enough");
  }
  const item = spec ?? specification;
  if (item === undefined)
    throw top.error("it has neither 'spec' nor 'specification'", "Begin it with: spec: v0.7");
  const [, major, minor] = versionPattern.exec(item.text()) ?? [];
  if (major === undefined) throw item.error(`'${item.text()}' is no version`, "Write v0.7.");
  if (Number(major) > 0 || Number(minor) > 7) {
    throw item.error(
      `version ${item.text()} is newer than this program, which knows v0.6 and v0.7`,
      undefined,
      "not_supported",
    );
  }
  return Number(minor) < 6
    ? [item.error("older than v0.6: read as far as it means the same there").message]
    : [];
}

/** A line that is split as a shell would, or a list. */
export function readCommand(item: Item): string[] {
  const words = item.isText ? shellWords(item.text()) : item.list().map((each) => each.text());
  if (words === undefined) throw item.error("a quote or an escape in it has no end");
  const dashes = words.indexOf("--");
  if (dashes > 0) {
    throw item.error(
      "what stands before -- is for the kernel, and Uni's kernel takes nothing",
      "Leave out what is before -- , and -- itself.",
      "not_supported",
    );
  }
  return dashes === 0 ? words.slice(1) : words;
}

/** A map, or a list of K=V. */
export function readPairs(item: Item): Record<string, string> {
  if (item.isMap) {
    return Object.fromEntries([...item.map()].map(([key, value]) => [checkKey(item, key), value.text()]));
  }
  return Object.fromEntries(
    item.list().map((each) => {
      const text = each.text();
      const equals = text.indexOf("=");
      if (equals <= 0) throw each.error(`'${text}' is not of the form KEY=VALUE`);
      return [checkKey(each, text.slice(0, equals)), text.slice(equals + 1)];
    }),
  );
}

function checkKey(item: Item, key: string): string {
  if (key === "" || key === "__proto__" || key.includes("=")) throw item.error(`'${key}' cannot be a name`);
  return key;
}

export function readLabels(item: Item): Record<string, string> {
  const labels = readPairs(item);
  for (const key of Object.keys(labels)) {
    if (!labelKey.test(key))
      throw item.error(`'${key}' is no name of a label`, "Names have letters, digits and . _ / -");
  }
  try {
    sleepOfLabels(labels);
  } catch (error) {
    throw error instanceof UniError ? item.error(error.message) : error;
  }
  return labels;
}

/** `platform/architecture`, or a map of the two. */
export const readTargets = (item: Item): Target[] =>
  item.list().map((each) => {
    if (each.isText) {
      const [platform = "", architecture = "", ...more] = each.text().split("/");
      if (platform === "" || architecture === "" || more.length > 0) {
        throw each.error(`'${each.text()}' is not of the form platform/architecture`);
      }
      return { platform, architecture: imageArchitecture(architecture) };
    }
    const members = each.map();
    refuse(members.get("kconfig"), "Uni boots its own kernel and builds none from a configuration");
    const platform = members.get("platform") ?? members.get("plat");
    const architecture = members.get("architecture") ?? members.get("arch");
    if (platform === undefined || architecture === undefined) {
      throw each.error("a target has a 'platform' and an 'architecture'");
    }
    return { platform: platform.text(), architecture: imageArchitecture(architecture.text()) };
  });

export function refuse(item: Item | undefined, reason: string, hint?: string): void {
  if (item !== undefined) throw item.error(`not supported: ${reason}`, hint, "not_supported");
}
