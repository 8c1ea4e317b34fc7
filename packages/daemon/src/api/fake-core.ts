/**
 * A daemon of plain memory behind the API's port, for tests of the API and of its clients. Instances start and stop at
 * once unless `hold` says that they take for ever; programs are not run: exec echoes its input.
 */
import { PassThrough } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { asAccountId } from "@uni/contract/ids";
import type { Image } from "@uni/contract/resources/image";
import type { DaemonEvent, ImageDetail, KernelInfo } from "@uni/contract/rpc";
import { fakeAutoscale } from "./fake-autoscale.ts";
import { collect, type Entry, fakeImage, fakeInstances, type State } from "./fake-instances.ts";
import { fakeCertificates, fakeLocalCa, fakeServices } from "./fake-services.ts";
import { fakeSnapshots } from "./fake-snapshots.ts";
import type { AccountImages, ImageFilter, ImagesPort } from "./images-port.ts";
import type { ApiDependencies, KernelsPort, NodePort } from "./port.ts";
import type { RegistriesPort } from "./registries-port.ts";

export const fakeToken = "a-token";
export const fakeAccount = asAccountId("11111111-1111-4111-8111-111111111111");

export interface FakeCore extends ApiDependencies {
  readonly entries: Map<string, Entry>;
  /** While true, no instance reaches a state that somebody waits for. */
  hold: boolean;
  /** Calls that are waiting now. */
  readonly waiting: Set<AbortSignal>;
  readonly shutdowns: boolean[];
  readonly uploads: Buffer[];
  emit(event: DaemonEvent): void;
}

export function createFakeCore(): FakeCore {
  const entries = new Map<string, Entry>();
  const state = {
    hold: false,
    waiting: new Set<AbortSignal>(),
    shutdowns: [] as boolean[],
    uploads: [] as Buffer[],
  };
  const listeners = new Set<PassThrough>();
  const services = fakeServices();
  const core: FakeCore = Object.assign(state, {
    entries,
    instances: fakeInstances(entries, state),
    snapshots: fakeSnapshots(entries),
    images: fakeImages(state),
    services,
    autoscale: fakeAutoscale(services),
    certificates: fakeCertificates(),
    localCa: fakeLocalCa(),
    registries: fakeRegistries(),
    kernels: fakeKernels(),
    node: fakeNode(entries, state, listeners),
    authenticate: (token: string) => (token === fakeToken ? fakeAccount : undefined),
    socketAccount: fakeAccount,
    emit: (event: DaemonEvent) => {
      for (const listener of listeners) listener.write(event);
    },
  });
  return core;
}

const pinId = "00000000-0000-4000-8000-00000000f1f1";
const digest = `sha256:${"0".repeat(64)}`;

const detail: ImageDetail = {
  digest,
  references: [`${fakeImage}:latest`],
  created_at: "2026-01-01T00:00:00.000Z",
  size_bytes: 4096,
  architecture: "amd64",
  config: {
    entrypoint: ["/hello"],
    cmd: [],
    env: {},
    user: "",
    working_directory: "/",
    exposed_ports: [],
    labels: {},
    stop_signal: "SIGTERM",
  },
};

function fakeImages(state: State): ImagesPort {
  const known = (reference: string) => {
    if (![fakeImage, `${fakeImage}@${digest}`].includes(reference))
      throw new UniError("image_not_found", `find image ${reference}: no such image`);
    return detail;
  };
  const pinned = new Set<string>();
  const listed = ({ tag, digest: wanted }: ImageFilter, tags: readonly string[]): Image[] => {
    const isWanted = (wanted ?? digest) === digest;
    if (!isWanted || (tag !== undefined && !["latest", `${fakeImage}:latest`].includes(tag))) return [];
    const { created_at, size_bytes: size_in_bytes } = detail;
    const persistent = pinned.size > 0 ? { persistent: true } : {};
    const url = `${fakeImage}@${digest}`;
    return [{ url, created_at, initrd_or_rom: false, size_in_bytes, tags: [...tags], ...persistent }];
  };
  const images: AccountImages = {
    list: async (filter) => listed(filter, [`${fakeImage}:latest`, digest]),
    store: async (filter) => listed(filter, ["latest"]),
    async pin({ url }, waitMs) {
      if (url !== fakeImage) throw new UniError("image_not_found", `pin ${url}: there is no such image`);
      pinned.add(pinId);
      const state = waitMs < 2000 ? "pending" : "ready";
      const { created_at, references } = detail;
      return { uuid: pinId, name: url, url, state, created_at, persistent: true, tags: [...references] };
    },
    pins: async () =>
      [...pinned].map((uuid) => ({ uuid, url: fakeImage, state: "ready" as const, name: fakeImage })),
    search: async (term) =>
      fakeImage.includes(term) ? [{ name: fakeImage, tags: ["latest"], tag_count: 1 }] : [],
    async unpin(uuid) {
      if (!pinned.delete(uuid)) throw new UniError("not_found", `unpin '${uuid}': there is no such pin`);
      return { uuid, name: fakeImage };
    },
    details: async () => [detail],
    detail: async (reference) => known(reference),
    history: async (reference) => [
      { created_by: "COPY hello /", digest: known(reference).digest, size_bytes: 9 },
    ],
    async *files({ reference }) {
      const { created_at: modified_at } = known(reference);
      const owner = { mode: 0o644, uid: 0, gid: 0, links: 1 };
      yield { path: "hello", kind: "file", size_bytes: 3, modified_at, ...owner };
    },
    async *readFile({ path }) {
      if (path !== "/hello") throw new UniError("not_found", `read "${path}": there is no such file`);
      yield Buffer.from("hey");
    },
    async *copyOut() {
      yield Buffer.from("tar");
    },
    async push({ reference, destination = reference }, onProgress) {
      const { digest: layer } = known(reference);
      onProgress({ step: "layer", message: "pushed", current: 9, total: 9 });
      return { reference: destination, digest: layer };
    },
    async *save({ references, format }) {
      for (const reference of references) yield Buffer.from(`${format} ${known(reference).digest}\n`);
    },
    remove: async (reference) => ({ removed: known(reference).references, deleted: true }),
    tag: async (source) => void known(source),
    prune: async ({ buildCache, bootCache }) => 1024 + (buildCache ? 1024 : 0) + (bootCache ? 4096 : 0),
    async pull({ reference }, onProgress) {
      onProgress({ step: "layer", layer: digest, message: "received", current: 1, total: 1 });
      return known(reference);
    },
    async load(archive, _reference, onProgress) {
      state.uploads.push(await collect(archive));
      onProgress({ step: "layers", message: "unpacking", current: 1, total: 1 });
      return [detail];
    },
    async build({ upload }, params, onProgress) {
      onProgress({ step: "context", message: "receiving" });
      const bytes = await collect(upload);
      state.uploads.push(bytes);
      if (params.target === "broken")
        throw new UniError("build_failed", "build: step 2 failed", { hint: "Look above." });
      return detail;
    },
  };
  return { of: () => images };
}

function fakeRegistries(): RegistriesPort {
  const name = (registry = "registry.example.com") => registry;
  return {
    async login({ registry, password }) {
      if (password === "wrong") throw new UniError("registry_denied", `log in to ${name(registry)}: 401`);
      return name(registry);
    },
    logout: async (registry) => name(registry),
    list: async () => [
      {
        registry: name(),
        username: "me",
        created_at: detail.created_at,
        updated_at: detail.created_at,
      },
    ],
    check: async (registry) => name(registry),
  };
}

const kernel: KernelInfo = {
  version: "6.1.0-1",
  id: digest,
  source: "distribution",
  architecture: "x86_64",
  size_bytes: 1,
  installed_at: "2026-01-01T00:00:00.000Z",
  current: true,
};

function fakeKernels(): KernelsPort {
  return {
    list: async () => [kernel],
    use: async () => kernel,
    check: async () => ({ installed: kernel.version, latest: kernel.version, updateAvailable: false }),
    async update(onProgress) {
      onProgress({ step: "install", message: "installing" });
      return kernel;
    },
    build: async () => kernel,
    async remove(version) {
      if (version === kernel.version) throw new UniError("in_use", `remove kernel ${version}: it is in use`);
    },
  };
}

function fakeNode(entries: Map<string, Entry>, state: State, listeners: Set<PassThrough>): NodePort {
  const stats = {
    instances: 0,
    live_instances: 0,
    live_vcpus: 0,
    live_memory_mb: 0,
    service_groups: 0,
    services: 0,
    volumes: 0,
    total_volume_mb: 0,
  };
  return {
    info: async () => ({
      version: "0.1.0",
      pid: 1,
      started_at: "2026-01-01T00:00:00.000Z",
      data_dir: "/var/lib/uni",
      socket: "/run/unid.sock",
      accelerator: "tcg",
      vmm: { name: "fake", version: "1" },
      host: { architecture: "x86_64", kernel: "6.1", cpus: 2, memory_mb: 4096 },
      network: { pool: "10.0.0.0/16", gateway: "169.254.0.1" },
      instances: { total: entries.size, running: 0 },
      images: 1,
      default_registry: "registry.example.com",
    }),
    diskUsage: async () => ({ kinds: [{ kind: "images", count: 1, bytes: 4096 }], total_bytes: 4096 }),
    doctor: async () => ({
      healthy: true,
      checks: [{ name: "kvm", status: "warning", message: "not usable" }],
    }),
    healthz: async () => ({
      checks: { images: "healthy" },
      versions: { unid: "0.1.0" },
      accelerator: { name: "tcg" },
    }),
    figures: async () => [
      { name: "uni_instances", type: "gauge", help: "Instances", samples: [{ value: entries.size }] },
    ],
    quotas: (account) => ({
      uuid: account,
      used: { ...stats, instances: entries.size },
      hard: { ...stats, instances: 64 },
      limits: {
        min_memory_mb: 16,
        max_memory_mb: 8192,
        min_volume_mb: 1,
        max_volume_mb: 1,
        min_autoscale_size: 0,
        max_autoscale_size: 0,
        min_vcpus: 1,
        max_vcpus: 2,
      },
    }),
    metros: () => [
      { uuid: fakeAccount, endpoint: "http://127.0.0.1:1", name: "local", iata_code: "local", country: "" },
    ],
    async *events(_account, signal) {
      const queue = new PassThrough({ objectMode: true });
      listeners.add(queue);
      signal.addEventListener("abort", () => queue.end(), { once: true });
      try {
        yield* queue as AsyncIterable<DaemonEvent>;
      } finally {
        listeners.delete(queue);
      }
    },
    shutdown: (stopInstances) => void state.shutdowns.push(stopInstances),
  };
}
