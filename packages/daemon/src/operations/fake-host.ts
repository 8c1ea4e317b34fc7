/** Network and images of plain memory, for tests of what stands above them. */
import { UniError } from "@uni/contract/errors";
import type { Image, ImageConfig, Images } from "../images/port.ts";
import { digestOf } from "../instances/test-records.ts";
import type { Attachment, Network } from "../network/port.ts";

export interface FakeNetwork extends Network {
  /** By address: what the host has. */
  readonly attached: Map<string, Attachment>;
}

export function createFakeNetwork(): FakeNetwork {
  const attached = new Map<string, Attachment>();
  let last = 1;
  return {
    attached,
    pool: "10.0.0.0/16",
    gateway: "169.254.1.1",
    nameservers: ["192.0.2.53"],
    namesFor: (address) => ({ mac: `02:00:00:00:00:01`, tap: `tap-${address}` }),
    pickAddress(_account, used) {
      for (;;) {
        last += 1;
        const address = `10.0.${last >> 8}.${last & 255}`;
        if (!used.has(address)) return address;
      }
    },
    async checkPorts(ports, others) {
      for (const { hostPort } of ports) {
        const holder = others.find((other) => other.ports.some((port) => port.hostPort === hostPort));
        if (holder === undefined) continue;
        throw new UniError("port_in_use", `publish port ${hostPort}: ${holder.instanceId} has it`);
      }
    },
    async makeDevice(attachment) {
      attached.set(attachment.address, { ...attachment, asleep: "paused" });
    },
    async attach(attachment) {
      attached.set(attachment.address, attachment);
    },
    async publish({ address, ports }) {
      const before = attached.get(address);
      if (before !== undefined) attached.set(address, { ...before, ports });
    },
    async detach({ address }) {
      attached.delete(address);
    },
    async reconcile(wanted) {
      const keep = new Set(wanted.map(({ address }) => address));
      const wrong = [...attached.keys()].filter((address) => !keep.has(address));
      for (const address of wrong) attached.delete(address);
      for (const attachment of wanted) attached.set(attachment.address, attachment);
      return wrong;
    },
    async sleep(attachment) {
      attached.set(attachment.address, attachment);
    },
    async prepareWake(attachment) {
      attached.set(attachment.address, { ...attachment, asleep: "paused" });
    },
    async wake(attachment) {
      attached.set(attachment.address, { ...attachment, asleep: undefined });
    },
    onWake: () => () => {},
    wakeStats: async () => ({ held: 0, dropped: 0, expired: 0, reported: 0, released: 0 }),
    traffic: async () => ({ rxBytes: 1, rxPackets: 1, txBytes: 2, txPackets: 1 }),
    async remove() {
      attached.clear();
    },
  };
}

const config: ImageConfig = {
  entrypoint: [],
  cmd: ["serve"],
  env: {},
  user: "",
  workingDirectory: "/",
  exposedPorts: [],
  labels: {},
  stopSignal: "",
  architecture: "amd64",
};

export const fakeImage: Image = {
  digest: digestOf("0"),
  references: ["hello:latest"],
  createdAt: new Date(0),
  sizeBytes: 4096,
  rootPath: "/nowhere/root.erofs",
  config,
};

/** One image, hello; what no test needs is refused. */
export function createFakeImages(): Images {
  const no = async (): Promise<never> => {
    throw new UniError("not_supported", "the fake store has one image, and that for good");
  };
  const resolve = async (reference: string): Promise<Image> => {
    if (["hello", "hello:latest", fakeImage.digest].includes(reference)) return fakeImage;
    throw new UniError("image_not_found", `find image '${reference}': no such image`);
  };
  return {
    of(): Images {
      return this as Images;
    },
    resolve,
    pull: resolve,
    find: (reference) => resolve(reference).catch(() => undefined),
    list: async () => [fakeImage],
    accountsOf: async () => [],
    open: no,
    push: no,
    search: async () => [],
    usage: async () => ({
      roots: { count: 1, reclaimableBytes: 0 },
      blobs: { count: 0, sharedBytes: 0, reclaimableBytes: 0 },
    }),
    prunePulled: async () => [],
    history: no,
    async *save() {},
    remove: no,
    tag: no,
    load: no,
    build: no,
    collect: async () => 0,
  } as Images;
}
