import assert from "node:assert/strict";
import { test } from "node:test";
import { importsOf, withoutComments } from "./sources.ts";

test("comments are blanked, strings and patterns that look like comments are kept", () => {
  const code = ['const a = "// no"; // yes', "const b = /[/*]/; /* gone", "gone */ const c = `/* no */`;"];
  assert.deepEqual(
    withoutComments(code.join("\n"))
      .split("\n")
      .map((line) => line.trimEnd()),
    ['const a = "// no";', "const b = /[/*]/;", "        const c = `/* no */`;"],
  );
});

test("static, dynamic and type imports and re-exports are found, commented ones are not", () => {
  const code = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'export { c } from "./c.ts";',
    'const d = await import("./d.ts");',
    'import "./e.ts";',
    '// import "./f.ts";',
  ];
  assert.deepEqual(importsOf(code.join("\n")), ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts"]);
});
