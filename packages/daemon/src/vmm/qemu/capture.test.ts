import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import { qemuMachines } from "../../../../../test/kit/qemu-machines.ts";
import { captureConformance } from "../capture-conformance.ts";

captureConformance("the QEMU driver", qemuMachines);
