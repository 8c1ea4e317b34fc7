import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import { qemuMachines } from "../../../../../test/kit/qemu-machines.ts";
import { vmmConformance } from "../conformance.ts";

vmmConformance("the QEMU driver", qemuMachines);
