import { createHash, randomBytes } from "node:crypto";
import { access, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory, removeTree } from "../host/files.ts";
import { bundleDirectory, hashFile, namesIn } from "./bundle.ts";
import { type CpioEntry, writeCpio } from "./cpio.ts";
import type { BootFiles } from "./kernel.ts";

/** Mount points that the agent needs before it has any file system to make them on. */
const emptyDirectories = ["dev", "proc", "sys", "run", "tmp", "root", "mnt"];

const initramfsDirectory = (cache: string, version: string) => join(cache, "initramfs", version);

/** Kernel and initramfs of a bundle with this agent; the initramfs is made once per agent and kept in the cache. */
export async function makeBootFiles(cache: string, version: string, agentPath: string): Promise<BootFiles> {
  const bundle = bundleDirectory(cache, version);
  const agent = await readAgent(agentPath);
  const archive = writeCpio(await initramfsEntries(bundle, agent));
  const digest = createHash("sha256").update(archive).digest("hex");
  const directory = initramfsDirectory(cache, version);
  const initramfsPath = join(directory, `${digest}.cpio`);
  if (!(await exists(initramfsPath))) await writeInto(directory, initramfsPath, archive);
  const kernelPath = join(bundle, "vmlinux");
  const id = createHash("sha256")
    .update(`${await hashFile(kernelPath)} ${digest}\n`)
    .digest("hex");
  return { id, kernelPath, initramfsPath };
}

export const bootFilesExist = async (files: BootFiles): Promise<boolean> =>
  (await exists(files.kernelPath)) && (await exists(files.initramfsPath));

export const removeInitramfs = (cache: string, version: string): Promise<void> =>
  removeTree(initramfsDirectory(cache, version));

async function initramfsEntries(bundle: string, agent: Buffer): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [{ path: "init", content: agent, mode: 0o755 }];
  for (const path of emptyDirectories) entries.push({ path, directory: true, mode: 0o755 });
  entries.push({ path: "modules", directory: true, mode: 0o755 });
  for (const name of await namesIn(join(bundle, "modules"))) {
    const content = await readFile(join(bundle, "modules", name));
    entries.push({ path: `modules/${name}`, content, mode: 0o644 });
  }
  return entries;
}

async function readAgent(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UniError("host_unfit", `read the guest agent ${path}: it is not built`, {
      hint: "Run ./scripts/setup, which builds it.",
      cause,
    });
  }
}

async function writeInto(directory: string, path: string, archive: Buffer): Promise<void> {
  await ensureDirectory(directory, 0o755);
  const aside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFile(aside, archive, { mode: 0o644, flush: true });
    await rename(aside, path);
  } finally {
    await rm(aside, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
