/**
 * The monitor, ready when its accelerator is known. Probing boots a guest, which needs a kernel, which may have to be fetched:
 * so it happens beside the daemon's start, and again at the next need if it failed.
 */
import type { Log } from "../base/log.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { BootableKernel } from "../operations/machine.ts";
import type { BootFiles, Vmm } from "../vmm/port.ts";
import type { RealAccelerator } from "../vmm/qemu/architecture.ts";

export interface ReadyVmm {
  readonly vmm: Vmm;
  readonly reason: string;
}

export interface NodeVmmDependencies {
  readonly kernels: Kernels;
  readonly log: Log;
  readonly probe: (
    boot: BootFiles,
  ) => Promise<{ readonly accelerator: RealAccelerator; readonly reason: string }>;
  readonly create: (accelerator: RealAccelerator) => Promise<Vmm> | Vmm;
}

export class NodeVmm {
  readonly #deps: NodeVmmDependencies;
  #ready: Promise<ReadyVmm> | undefined;
  #known: ReadyVmm | undefined;

  constructor(deps: NodeVmmDependencies) {
    this.#deps = deps;
  }

  /** What is known without waiting. */
  get known(): ReadyVmm | undefined {
    return this.#known;
  }

  ready(): Promise<ReadyVmm> {
    this.#ready ??= this.#probe().catch((error) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  /** As of `Vmm`; of no monitor that is not there yet. */
  async trimCache(what: Parameters<Vmm["trimCache"]>[0]): Promise<number> {
    return (await this.#known?.vmm.trimCache(what)) ?? 0;
  }

  async currentKernel(): Promise<BootableKernel> {
    const { version } = await this.#deps.kernels.current();
    return this.kernelOf(version);
  }

  async kernelOf(version: string): Promise<BootableKernel> {
    return { version, boot: await this.#deps.kernels.bootFiles(version) };
  }

  async #probe(): Promise<ReadyVmm> {
    const { boot } = await this.currentKernel();
    const { accelerator, reason } = await this.#deps.probe(boot);
    const vmm = await this.#deps.create(accelerator);
    this.#known = { vmm, reason };
    this.#deps.log.info({ accelerator, reason }, "accelerator chosen");
    return this.#known;
  }
}
