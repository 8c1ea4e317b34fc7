import type { Image } from "@uni/contract/resources/image";
import type { Instance } from "@uni/contract/resources/instance";
import type { ImageDetail, SavedInfo, VmDetail, VmInfo } from "@uni/contract/rpc";

/** The short form of an instance that came over REST. */
export function vmInfoOf(instance: Instance): VmInfo {
  const { uuid, name, state, image, image_ref, created_at, started_at, stopped_at } = instance;
  return {
    id: uuid,
    name,
    state,
    image: image_ref ?? image,
    created_at,
    ...(started_at === undefined ? {} : { started_at }),
    ...(stopped_at === undefined ? {} : { stopped_at }),
    ...(instance.exit_code === undefined ? {} : { exit_code: instance.exit_code }),
    ...(instance.exit_reason === undefined ? {} : { exit_reason: instance.exit_reason }),
    ...(instance.restart?.next_at === undefined ? {} : { restart_at: instance.restart.next_at }),
    ip: instance.private_ip ?? "",
    ports: instance.ports ?? [],
    memory: instance.memory_mb,
    vcpus: instance.vcpus,
    ...(instance.accelerator === undefined ? {} : { accelerator: instance.accelerator }),
    restart_count: instance.restart_count ?? 0,
    ...(instance.sleep === undefined ? {} : { sleep: instance.sleep }),
  };
}

export function vmDetailOf(instance: Instance): VmDetail {
  return {
    ...instance,
    id: instance.uuid,
    ip: instance.private_ip ?? "",
    ports: instance.ports ?? [],
    memory: instance.memory_mb,
    cpus: instance.vcpus,
  };
}

/** The short form of a template or checkpoint that came over REST. */
export const savedInfoOf = (saved: Instance): SavedInfo => ({
  id: saved.uuid,
  name: saved.name,
  state: saved.state,
  created_at: saved.created_at,
  image: saved.image_ref ?? saved.image,
  memory: saved.memory_mb,
  vcpus: saved.vcpus,
});

export function imageDetailOf(image: Image): ImageDetail {
  return {
    digest: image.digest ?? image.url.split("@")[1] ?? image.url,
    // Over REST the digest is one of them.
    references: (image.tags ?? []).filter((tag) => !tag.startsWith("sha256:")),
    created_at: image.created_at,
    size_bytes: image.size_in_bytes,
    architecture: "",
    config: {
      entrypoint: [],
      cmd: image.args ?? [],
      env: image.env ?? {},
      user: "",
      working_directory: "",
      exposed_ports: [],
      labels: {},
      stop_signal: "",
    },
  };
}
