import type { KernelInfo } from "@uni/contract/rpc";
import type { KernelsPort } from "../api/port.ts";
import type { Kernel } from "../kernels/kernel.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type KernelUsers, kernelUsers } from "./users.ts";

export function createKernelsPort(kernels: Kernels, users: KernelUsers): KernelsPort {
  const usersOf = (version: string) => kernelUsers(users, version);

  const view = (kernel: Kernel): KernelInfo => ({
    version: kernel.version,
    id: kernel.digest,
    source: kernel.flavour,
    architecture: process.arch,
    size_bytes: kernel.sizeBytes,
    installed_at: kernel.createdAt,
    current: kernel.selected,
    used_by: usersOf(kernel.version),
  });

  return {
    list: async () => (await kernels.list()).map(view),
    use: async (version) => view(await kernels.use(version)),
    check: () => kernels.check(),
    update: async (onProgress, signal) => view(await kernels.update(onProgress, signal)),
    build: async (onProgress, signal) => view(await kernels.build(onProgress, signal)),
    remove: (version) => kernels.remove(version, usersOf),
  };
}
