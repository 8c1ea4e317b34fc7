/** How names of images begin: with the host of their registry, or with nothing that means one. */

/** The host that Docker's tools put before a plain name, and that people leave out. */
export const impliedHost = ["docker", "io"].join(".");

/** A host is told from the first part of a path by a dot, a colon or a capital letter in it. */
export function splitName(name: string): { readonly host: string | undefined; readonly path: string } {
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  const isHost = /[.:A-Z]/.test(first) || first === "localhost";
  return isHost ? { host: first, path: name.slice(slash + 1) } : { host: undefined, path: name };
}
