import type { Item } from "./item.ts";
import { type Filesystem, formats, type Rom, sourceTypes } from "./kraftfile.ts";

/** A path, or `{source, format}`; `source` is a path or `{type, path, dockerfile}`. */
export function readRootfs(item: Item, notes: string[]): Filesystem {
  if (item.isText) return ofPath(item);
  if (item.isMap) return readShape(item, [], notes);
  // Version 0.6 allowed a list.
  const [only, ...more] = item.list();
  if (only === undefined || more.length > 0) {
    throw item.error(
      `a list of ${more.length === 0 ? "no" : more.length + 1} file systems; an instance has one root`,
    );
  }
  return readRootfs(only, notes);
}

export const readRoms = (item: Item, notes: string[]): Rom[] =>
  item.list().map((each) => {
    if (each.isText) return ofPath(each);
    const rom = readShape(each, ["name"], notes);
    if (rom.format === "cpio") throw each.error("its format is cpio; a ROM is an EROFS image here");
    const name = each.map().get("name")?.text();
    return { ...rom, ...(name === undefined ? {} : { name }) };
  });

const errorsOf = (item: Item) => (reason: string, hint?: string, code?: Parameters<Item["error"]>[2]) =>
  item.error(reason, hint, code);

const ofPath = (item: Item): Filesystem => ({ path: item.text(), error: errorsOf(item) });

function readShape(item: Item, more: readonly string[], notes: string[]): Filesystem {
  const members = item.map();
  noteOthers(members, ["source", "format", "type", ...more], notes);
  const source = members.get("source");
  if (source === undefined) throw item.error("it has no 'source'");
  const [format, type] = [members.get("format"), members.get("type")];
  if (format !== undefined && type !== undefined) {
    throw type.error("'type' is an old name of 'format', which is there as well");
  }
  return {
    ...(source.isText ? ofPath(source) : readSource(source, notes)),
    ...oneOf("format", format ?? type, formats),
  };
}

function readSource(item: Item, notes: string[]): Filesystem {
  const members = item.map();
  noteOthers(members, ["type", "path", "dockerfile"], notes);
  const [path, dockerfile] = [members.get("path"), members.get("dockerfile")];
  if (path === undefined && dockerfile === undefined) throw item.error("it has no 'path'");
  const type = oneOf("type", members.get("type"), sourceTypes);
  if (dockerfile !== undefined && type.type !== undefined && type.type !== "dockerfile") {
    throw dockerfile.error(`a Dockerfile is given for a source of type ${type.type}`);
  }
  return {
    path: path?.text() ?? ".",
    ...type,
    ...(dockerfile === undefined ? {} : { dockerfile: dockerfile.text() }),
    error: errorsOf(path ?? dockerfile ?? item),
  };
}

function oneOf<K extends string, T extends string>(
  key: K,
  item: Item | undefined,
  words: readonly T[],
): { readonly [key in K]?: T } {
  if (item === undefined) return {};
  const text = item.text();
  const word = words.find((each) => each === text);
  if (word === undefined) throw item.error(`'${text}' is none of ${words.join(", ")}`);
  return { [key]: word } as { readonly [key in K]?: T };
}

function noteOthers(members: ReadonlyMap<string, Item>, known: readonly string[], notes: string[]): void {
  for (const [name, item] of members) {
    if (!known.includes(name)) notes.push(item.error("this key is not known and was ignored").message);
  }
}
