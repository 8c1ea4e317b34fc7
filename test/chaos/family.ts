/**
 * Instances that come from one another, and what each must remember. An act that was not answered, for the daemon or the machine
 * was killed meanwhile, may have happened or not; everything else has happened, or is refused with a reason.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errorTable } from "@uni/contract/errors";
import type { TestDaemon } from "../kit/daemon.ts";
import { httpClient } from "../kit/load.ts";
import { runScript } from "../kit/machine-test.ts";
import { until } from "../kit/until.ts";

/** What may be in its memory; undefined: anything, for it lost it. */
type Memory = ReadonlySet<string> | undefined;

export type Kind = "instances" | "checkpoints" | "templates";
const kinds: readonly Kind[] = ["instances", "checkpoints", "templates"];
const paths: Readonly<Record<Kind, string>> = {
  instances: "/instances",
  checkpoints: "/instances/checkpoints",
  templates: "/instances/templates",
};

interface Relative {
  memory: Memory;
  /** False: whoever made or removed it was not answered. */
  certain: boolean;
  /** Of a checkpoint. */
  readonly of?: string;
}

/** How an act went: done, refused with this code, or nobody knows. */
export type Outcome = "done" | "lost" | { readonly code: string };

/** Serves what is in its memory, and on its disk; the first word is made at each boot. */
const script = [
  "n=$(cat /proc/sys/kernel/random/uuid); mkdir -p /www; echo $n 0 >/dev/value; echo 0 >/www/disk",
  "ln -sf /dev/value /www/index.html; exec httpd -f -p 8080 -h /www",
].join("\n");

/** The child stays where it is; the parent says who it is. */
const forkScript = [
  "echo >/uk/libukp/fork && read -r child </uk/libukp/fork",
  "case $child in 0000*) exec sleep 1000;; esac; echo $child",
].join("\n");

export class Family {
  readonly daemon: TestDaemon;
  readonly #all: Readonly<Record<Kind, Map<string, Relative>>> = {
    instances: new Map(),
    checkpoints: new Map(),
    templates: new Map(),
  };
  /** Instances that have become templates, or have not. */
  readonly #oneOfBoth = new Set<string>();
  #made = 0;
  /** Nothing that is not answered from here on is a fault. */
  disturbed = false;

  constructor(daemon: TestDaemon) {
    this.daemon = daemon;
  }

  names(kind: Kind): string[] {
    return [...this.#all[kind]].filter(([, { certain }]) => certain).map(([name]) => name);
  }

  checkpointsOf(instance: string): string[] {
    return this.names("checkpoints").filter((name) => this.#all.checkpoints.get(name)?.of === instance);
  }

  newName(): string {
    this.#made += 1;
    return `kin-${this.#made}`;
  }

  async found(name: string): Promise<void> {
    await runScript(this.daemon, name, script);
    const address = await this.#addressOf(name);
    const memory = await until("it says what it knows", () => textAt(address, "/"));
    this.#all.instances.set(name, { memory: new Set([memory]), certain: true });
  }

  /** Throws for an answer that is none, and for an error that is the daemon's own fault. */
  async ask(...args: readonly string[]): Promise<Outcome> {
    const { code, stdout, stderr } = await this.daemon.uni(["--output", "json", ...args], {
      deadlineMs: 170_000,
    });
    if (code === 0) return "done";
    const line = stderr.split("\n").find((text) => text.startsWith('{"error"'));
    const refusal: string = line === undefined ? "" : JSON.parse(line).error.code;
    const what = `uni ${args.join(" ")}: status ${code}\n${stdout}${stderr}`;
    const isReason = Object.hasOwn(errorTable, refusal) && refusal !== "internal";
    assert.ok(isReason || (this.disturbed && refusal === ""), what);
    return this.disturbed ? "lost" : { code: refusal };
  }

  async write(name: string, value: string): Promise<Outcome> {
    const one = this.#get("instances", name);
    const command = `read n v </dev/value; echo ${value} >/www/disk; echo $n ${value} >/dev/value`;
    const outcome = await this.ask("exec", name, "sh", "-c", command);
    const after = one.memory && new Set([...one.memory].map((text) => `${text.split(" ")[0]} ${value}`));
    if (outcome === "done") one.memory = after;
    else one.memory = one.memory && after && new Set([...one.memory, ...after]);
    return outcome;
  }

  async checkpoint(name: string, checkpoint: string): Promise<Outcome> {
    const { memory } = this.#get("instances", name);
    const outcome = await this.ask("checkpoint", "create", name, "--name", checkpoint);
    this.#appear("checkpoints", checkpoint, { memory, of: name }, outcome);
    return outcome;
  }

  async checkpointTogether(names: readonly string[], suffix: string): Promise<Outcome> {
    const memories = names.map((name) => this.#get("instances", name).memory);
    const outcome = await this.ask("checkpoint", "create", ...names, "--suffix", suffix);
    for (const [index, of] of names.entries())
      this.#appear("checkpoints", `${of}-${suffix}`, { memory: memories[index], of }, outcome);
    return outcome;
  }

  async rewind(name: string, checkpoint: string): Promise<Outcome> {
    const one = this.#get("instances", name);
    const { memory } = this.#get("checkpoints", checkpoint);
    const outcome = await this.ask("rewind", name, checkpoint);
    if (outcome === "done") one.memory = memory;
    else if (outcome === "lost") one.memory = one.memory && memory && new Set([...one.memory, ...memory]);
    return outcome;
  }

  async branch(names: readonly string[], suffix: string): Promise<Outcome> {
    const memories = names.map((name) => this.#get("instances", name).memory);
    const outcome = await this.ask("branch", ...names, "--suffix", suffix);
    for (const [index, name] of names.entries())
      this.#appear("instances", `${name}-${suffix}`, { memory: memories[index] }, outcome);
    return outcome;
  }

  async turnIntoTemplate(name: string): Promise<Outcome> {
    const { memory } = this.#get("instances", name);
    const outcome = await this.ask("template", "create", name);
    this.#appear("templates", name, { memory }, outcome);
    if (outcome === "lost") this.#oneOfBoth.add(name);
    this.#vanish("instances", name, outcome);
    return outcome;
  }

  async make(kind: "checkpoints" | "templates", from: string, name: string): Promise<Outcome> {
    const { memory } = this.#get(kind, from);
    const outcome = await this.ask(
      "run",
      kind === "checkpoints" ? "--checkpoint" : "--template",
      from,
      "--name",
      name,
    );
    this.#appear("instances", name, { memory }, outcome);
    return outcome;
  }

  async remove(kind: Kind, name: string): Promise<Outcome> {
    const words = {
      instances: ["rm", "-f"],
      checkpoints: ["checkpoint", "rm"],
      templates: ["template", "rm"],
    };
    const outcome = await this.ask(...words[kind], name);
    this.#vanish(kind, name, outcome);
    return outcome;
  }

  /** By its program; the child is looked at, and removed. */
  async fork(name: string): Promise<Outcome> {
    const { memory } = this.#get("instances", name);
    const asked = await this.daemon.uni(["exec", name, "sh", "-c", forkScript], { deadlineMs: 170_000 });
    const uuid = asked.stdout.trim();
    if (asked.code !== 0 || uuid.length !== 36) {
      assert.ok(this.disturbed, `fork ${name}: ${asked.code} ${asked.stdout}${asked.stderr}`);
      return "lost";
    }
    if (this.disturbed) return "lost";
    const child = await until("the child runs", async () => {
      const seen = await this.daemon.json(["inspect", uuid]);
      return seen.state === "running" && seen;
    });
    const text = await until("the child says what it knows", () => textAt(child.private_ip, "/"));
    assert.ok(memory === undefined || memory.has(text), `the child of ${name} remembers ${text}`);
    return this.ask("rm", "-f", uuid);
  }

  /** Its machine was killed, or is about to be. */
  forget(name: string): void {
    this.#get("instances", name).memory = undefined;
  }

  /** Everything is as it must be: who is there, and what each remembers. */
  async settle(): Promise<void> {
    this.disturbed = false;
    for (const kind of kinds) {
      if (kind === "instances") await this.#removeForks();
      const { body } = await this.daemon.rest("GET", `${paths[kind]}?details=false`);
      const there: string[] = body.data.instances.map(({ name }: { name: string }) => name);
      const known = this.#all[kind];
      for (const name of there)
        assert.ok(!name.startsWith("kin-") || known.has(name), `${kind}: nobody made ${name}`);
      for (const [name, relative] of known) {
        const isThere = there.includes(name);
        assert.ok(isThere || !relative.certain, `${kind}: ${name} is lost`);
        if (isThere) relative.certain = true;
        else known.delete(name);
      }
    }
    for (const name of this.#oneOfBoth) {
      const found = [this.#all.instances, this.#all.templates].filter((known) => known.has(name));
      assert.equal(found.length, 1, `${name} is an instance or a template`);
    }
    this.#oneOfBoth.clear();
    for (const [name, relative] of this.#all.instances) {
      const state = await until(`${name} is in a state that holds`, async () => {
        const { state } = await this.daemon.json(["inspect", name]);
        return ["running", "standby", "stopped"].includes(state) && (state as string);
      });
      assert.ok(state !== "stopped" || relative.memory === undefined, `${name} has stopped`);
      if (state === "stopped") await this.daemon.ok(["start", "--cold", name]);
      const address = await this.#addressOf(name);
      const text = await until(`${name} says what it knows`, () => textAt(address, "/"));
      const disk = await textAt(address, "/disk");
      if (relative.memory !== undefined) {
        assert.ok(
          relative.memory.has(text),
          `${name} remembers ${text}, not ${[...relative.memory].join(" or ")}`,
        );
        if (relative.memory.size === 1) assert.equal(disk, text.split(" ")[1], `the disk of ${name}`);
      }
      relative.memory = new Set([text]);
      if (disk !== text.split(" ")[1]) await this.write(name, "0");
    }
  }

  /** One of each that is kept is what it was; then all go, and nothing of them is left. */
  async end(): Promise<void> {
    for (const kind of ["checkpoints", "templates"] as const) {
      for (const from of this.names(kind)) {
        const name = this.newName();
        assert.equal(await this.make(kind, from, name), "done");
        await this.settle();
        await this.remove("instances", name);
      }
    }
    for (const kind of kinds)
      for (const name of this.names(kind)) assert.equal(await this.remove(kind, name), "done");
    const directories = ["snapshots", "layers"].map((name) => join(this.daemon.dataDirectory, name));
    await until("no memory and no disk of theirs is left", () => {
      assert.deepEqual(
        directories.map((path) => readdirSync(path)),
        [[], []],
      );
      return true;
    });
  }

  /** Children whose parent nobody heard of. */
  async #removeForks(): Promise<void> {
    const { body } = await this.daemon.rest("GET", "/instances");
    for (const { uuid, features } of body.data.instances)
      if (features?.includes("delete-on-stop")) await this.daemon.uni(["rm", "-f", uuid]);
  }

  #get(kind: Kind, name: string): Relative {
    const relative = this.#all[kind].get(name);
    assert.ok(relative !== undefined, `${kind}: ${name}`);
    return relative;
  }

  #appear(kind: Kind, name: string, relative: Omit<Relative, "certain">, outcome: Outcome): void {
    if (outcome === "done" || outcome === "lost")
      this.#all[kind].set(name, { ...relative, certain: outcome === "done" });
  }

  #vanish(kind: Kind, name: string, outcome: Outcome): void {
    const relative = this.#get(kind, name);
    if (outcome === "done") this.#all[kind].delete(name);
    else if (outcome === "lost") relative.certain = false;
  }

  async #addressOf(name: string): Promise<string> {
    return (await this.daemon.json(["inspect", name])).private_ip;
  }
}

const textAt = (address: string, path: string): Promise<string | undefined> =>
  httpClient(`${address}${path}`, address, 8080, path)
    .ask()
    .catch(() => undefined);
