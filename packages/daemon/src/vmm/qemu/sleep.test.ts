import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import { qemuMachines } from "../../../../../test/kit/qemu-machines.ts";
import { sleepConformance } from "../sleep-conformance.ts";

sleepConformance("the QEMU driver", qemuMachines);
