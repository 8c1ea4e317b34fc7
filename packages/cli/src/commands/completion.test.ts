import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { runUni, talk } from "../../../../test/kit/run-uni.ts";

const script = {
  "VM.List": () => [fakeVm({ name: "web" }), fakeVm({ name: "worker" }), fakeVm({ name: "db" })],
  "Image.List": () => [{ references: ["hello:latest", "redis:7"] }],
  getServiceGroups: () => ({
    status: "success",
    data: { service_groups: [{ name: "shop" }, { name: "site" }] },
  }),
  getCertificates: () => ({
    status: "success",
    data: { certificates: [{ name: "star", common_name: "*.example.com", state: "valid" }] },
  }),
  "Image.Pins": () => [{ url: "nginx", uuid: "00000000-0000-4000-8000-000000000007" }],
  "Kernel.List": () => [{ version: "6.1.0-1", source: "lean" }],
};

async function values(...words: string[]): Promise<string[]> {
  const { stdout } = await talk(script, ["__complete", "--", ...words]);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t", 1)[0] ?? "");
}

test("commands, subcommands and options", async () => {
  assert.deepEqual(await values("st"), ["stats", "start", "stop"]);
  assert.ok(!(await values("")).includes("__complete"));
  assert.deepEqual(await values("kernel", "u"), ["use", "update"]);
  assert.deepEqual(await values("stop", "--f"), ["--force"]);
  assert.deepEqual(await values("-o", "json", "st"), ["stats", "start", "stop"]);
});

test("names of instances, images, kernels, service groups and certificates", async () => {
  assert.deepEqual(await values("logs", "-f", "w"), ["web", "worker"]);
  assert.deepEqual(await values("rm", "web", "d"), ["db"]);
  assert.deepEqual(await values("cp", "w"), ["web:", "worker:"]);
  assert.deepEqual(await values("run", "--name", "x", "he"), ["hello:latest"]);
  assert.deepEqual(await values("image", "cat", "he"), ["hello:latest:/"]);
  assert.deepEqual(await values("image", "unpin", ""), ["nginx"]);
  assert.deepEqual(await values("save", "r"), ["redis:7"]);
  assert.deepEqual(await values("kernel", "use", ""), ["6.1.0-1"]);
  assert.deepEqual(await values("services", "update", "s"), ["shop", "site"]);
  assert.deepEqual(await values("services", "rm", "shop", "si"), ["site"]);
  for (const verb of ["get", "update", "renew", "rm"]) {
    assert.deepEqual(await values("certs", verb, ""), ["star"]);
  }
});

test("a program's own arguments and the values of options are left to the shell", async () => {
  assert.deepEqual(await values("run", "hello", "w"), []);
  assert.deepEqual(await values("exec", "web", "d"), []);
  assert.deepEqual(await values("run", "--name", ""), []);
  assert.deepEqual(await values("inspect", "--type", "i"), ["instance", "image"]);
  assert.deepEqual(await values("ps", "-o", ""), ["table", "json", "yaml"]);
  assert.deepEqual(await values("rm", "--vol"), []);
});

test("without a daemon there are no names and no errors", async () => {
  const env = { UNI_SOCKET: "/nonexistent/unid.sock" };
  const { code, stdout, stderr } = await runUni(["__complete", "--", "logs", ""], { env });
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
});

test("the bash script completes by asking uni", async () => {
  const { stdout } = await runUni(["completion", "bash"]);
  const directory = mkdtempSync(join(tmpdir(), "uni-completion-"));
  try {
    const asked = join(directory, "asked");
    writeFileSync(
      join(directory, "uni"),
      `#!/bin/sh\nprintf '%s|' "$@" > ${asked}\nprintf 'web\\tUp\\nworker\\tUp\\n'\n`,
    );
    chmodSync(join(directory, "uni"), 0o755);
    const use = `${stdout}
COMP_WORDS=(uni logs w) COMP_CWORD=2
_uni
printf '%s,' "\${COMPREPLY[@]}"; cat ${asked}`;
    const shell = spawnSync("bash", ["--norc", "-c", use], {
      encoding: "utf8",
      env: { PATH: `${directory}:${process.env.PATH}` },
    });
    assert.equal(shell.stderr, "");
    assert.equal(shell.stdout, "web,worker,__complete|--|logs|w|");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("each shell has a script, and another one is refused", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    assert.match((await runUni(["completion", shell])).stdout, /uni __complete --/);
  }
  assert.equal((await runUni(["completion", "tcsh"])).code, 64);
});
