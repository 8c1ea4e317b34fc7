/** The files of the repository as the tests of its habits see them: tracked ones and new ones, never ignored ones. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

export interface Source {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

export function repositoryFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.split("\0").filter((path) => path !== "" && existsSync(join(root, path)));
}

export function sources(matches: (path: string) => boolean): Source[] {
  return repositoryFiles()
    .filter(matches)
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

export const isTypeScript = (path: string): boolean => path.endsWith(".ts");
/** Ships with the product: in a package, and neither a test nor something made for tests only. */
export const isProduct = (path: string): boolean =>
  /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !/\.test\.ts$|\/conformance\.ts$|\/fake\//.test(path);
export const isDaemon = (path: string): boolean => path.startsWith("packages/daemon/src/");

/** Specifiers of static and dynamic imports and of re-exports. */
export function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;
  return [...code.matchAll(pattern)].map((match) => match[1] ?? "");
}

/** The code with its comments blanked out and its lines kept. Knows strings, templates and regular expressions well enough for our style. */
export function withoutComments(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|(?<=[=(,:[!&|?{};]\s*|return\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g;
  return text.replace(token, (found) =>
    found.startsWith("//") || found.startsWith("/*") ? found.replace(/[^\n]/g, " ") : found,
  );
}

/** `path:line` for each match, for messages that can be clicked. */
export function places(source: Source, pattern: RegExp): string[] {
  const lines = withoutComments(source.text).split("\n");
  return lines.flatMap((line, index) => (pattern.test(line) ? [`${source.path}:${index + 1}`] : []));
}
