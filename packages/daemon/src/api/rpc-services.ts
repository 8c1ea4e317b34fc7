import type { Clock } from "../base/clock.ts";
import { createHandlers } from "./handlers.ts";
import type { ApiDependencies } from "./port.ts";
import { localCaMethods } from "./rpc-ca.ts";
import { certificateMethods } from "./rpc-certificates.ts";
import { daemonMethods, kernelMethods } from "./rpc-daemon.ts";
import type { RpcServices } from "./rpc-handle.ts";
import { imageMethods } from "./rpc-images.ts";
import { registryMethods } from "./rpc-registries.ts";
import { snapshotMethods } from "./rpc-snapshots.ts";
import { vmStreamMethods } from "./rpc-streams.ts";
import { vmMethods } from "./rpc-vm.ts";

export function createRpcServices(dependencies: ApiDependencies, clock: Clock): RpcServices {
  return {
    methods: {
      ...vmMethods(dependencies.instances),
      ...vmStreamMethods(dependencies.instances),
      ...snapshotMethods(dependencies.instances, dependencies.snapshots),
      ...imageMethods(dependencies.images),
      ...kernelMethods(dependencies.kernels),
      ...certificateMethods(dependencies.certificates),
      ...localCaMethods(dependencies.localCa),
      ...registryMethods(dependencies.registries),
      ...daemonMethods(dependencies.node),
    },
    handlers: createHandlers(dependencies),
    clock,
  };
}
