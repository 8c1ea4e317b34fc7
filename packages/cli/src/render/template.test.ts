import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { parseTemplate } from "./template.ts";

const value = {
  name: "web",
  private_ip: "10.0.0.2",
  image: { digest: "sha256:1" },
  tags: ["a"],
  exit: undefined,
};

test("members, members of members, and escapes", () => {
  for (const [template, text] of [
    ["{{.name}}", "web"],
    ["{{ .Name }}\\t{{.PrivateIP}}\\n", "web\t10.0.0.2\n"],
    ["{{.image.digest}}!", "sha256:1!"],
    ["{{.tags}} {{json .name}}", '["a"] "web"'],
    ["{{.exit}}", ""],
    ["{{json .}}", JSON.stringify(value)],
    ["json", JSON.stringify(value)],
    ["plain {text}", "plain {text}"],
  ] as const) {
    assert.equal(parseTemplate(template)(value), text, template);
  }
});

test("a value cannot steer the terminal", () => {
  assert.equal(parseTemplate("{{.name}}")({ name: "a\u001b[2J" }), "a\\x1b[2J");
});

test("what is not there or not understood is refused, with what there is", () => {
  const refusal = (template: string): UniError => {
    try {
      parseTemplate(template)(value);
    } catch (error) {
      if (error instanceof UniError) return error;
    }
    throw new Error(`${template} was taken`);
  };
  assert.equal(refusal("{{.State.Status}}").hint, "There are: exit, image, name, private_ip, tags.");
  assert.equal(refusal("{{.constructor}}").code, "invalid_value");
  assert.match(refusal("{{range .tags}}").message, /\{\{range \.tags\}\}/);
});
