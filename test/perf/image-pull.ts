/** From a registry to a bootable root: Uni against the tools that do the same by hand. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type TestDaemon } from "../kit/daemon.ts";
import { imageBlobs, type TestImage } from "../kit/image-archive.ts";
import { runProgram } from "../kit/programs.ts";
import { median } from "./median.ts";
import { largeImage, manySmallLayers } from "./sample-images.ts";

type Report = (what: string, value: number, unit: string, atMost?: number) => void;

const deadlineMs = 300_000;

/** One daemon is the registry, another one pulls from it: what both have to do is what two machines would. */
export async function pullFigures(report: Report, rounds: number): Promise<void> {
  const registry = await startDaemon();
  const puller = await startDaemon();
  const directory = mkdtempSync(join(tmpdir(), "uni-pull-"));
  try {
    await run(
      "skopeo",
      [
        "login",
        "--tls-verify=false",
        "--authfile",
        authFile(directory),
        "-u",
        "bench",
        "--password-stdin",
        hostOf(registry),
      ],
      registry.token,
    );
    for (const [name, image] of [
      ["large", largeImage()],
      ["60 layers", manySmallLayers()],
    ] as const) {
      const reference = `${hostOf(registry)}/bench/${name.replaceAll(" ", "-")}:1`;
      await push(image, reference, directory);
      // The registry has made a root of its own when it can say this.
      await registry.ok(["inspect", reference], { deadlineMs });
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await byUni(puller, reference, directory));
        theirs.push(await byHand(reference, directory));
      }
      report(`pull and convert, ${name}: Uni`, median(ours), "ms");
      report(`pull and convert, ${name}: skopeo, umoci, mkfs.erofs`, median(theirs), "ms");
      report(`pull and convert, ${name}: ratio`, median(ours) / median(theirs), "", 0.7);
    }
  } finally {
    // It would find what is the registry's.
    await puller.stop({ checkLeftovers: false });
    await registry.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const hostOf = (daemon: TestDaemon): string => daemon.url.slice("http://".length);
const authFile = (directory: string): string => join(directory, "config.json");

/** It finds the password where Docker keeps it. */
async function byUni(puller: TestDaemon, reference: string, directory: string): Promise<number> {
  const started = performance.now();
  await puller.ok(["pull", reference], { deadlineMs, env: { DOCKER_CONFIG: directory } });
  const ms = performance.now() - started;
  await puller.ok(["rmi", reference]);
  await puller.ok(["prune"]);
  return ms;
}

async function byHand(reference: string, directory: string): Promise<number> {
  const work = mkdtempSync(join(directory, "hand-"));
  const layout = join(work, "oci");
  const started = performance.now();
  await run("skopeo", [
    "copy",
    "--quiet",
    "--src-tls-verify=false",
    "--authfile",
    authFile(directory),
    `docker://${reference}`,
    `oci:${layout}:it`,
  ]);
  await run("umoci", ["unpack", "--image", `${layout}:it`, join(work, "bundle")]);
  await run("mkfs.erofs", ["-x-1", join(work, "root.erofs"), join(work, "bundle/rootfs")]);
  const ms = performance.now() - started;
  rmSync(work, { recursive: true, force: true });
  return ms;
}

async function push(image: TestImage, reference: string, directory: string): Promise<void> {
  const source = join(directory, "source");
  mkdirSync(source);
  const [manifest, ...blobs] = imageBlobs(image);
  writeFileSync(join(source, "version"), "Directory Transport Version: 1.1\n");
  writeFileSync(join(source, "manifest.json"), manifest.bytes);
  for (const { digest, bytes } of blobs) writeFileSync(join(source, digest.slice("sha256:".length)), bytes);
  await run("skopeo", [
    "copy",
    "--quiet",
    "--dest-tls-verify=false",
    "--authfile",
    authFile(directory),
    `dir:${source}`,
    `docker://${reference}`,
  ]);
  rmSync(source, { recursive: true });
}

async function run(command: string, args: readonly string[], stdin = ""): Promise<void> {
  const { code, stderr } = await runProgram(command, args, { stdin, deadlineMs });
  if (code !== 0) throw new Error(`${command} ${args[0]}: ${stderr}`);
}
