import type { VmInfo } from "@uni/contract/rpc";

/** A running instance as the daemon tells of it. */
export const fakeVm = (members: Partial<VmInfo> = {}): VmInfo => ({
  id: "11111111-2222-4333-8444-555555555555",
  name: "web",
  state: "running",
  image: "hello:latest",
  created_at: "2026-01-31T12:00:00.000Z",
  started_at: "2026-01-31T12:00:01.000Z",
  ip: "10.0.0.2",
  ports: [{ host_port: 8080, guest_port: 80, protocol: "tcp" }],
  memory: 256,
  vcpus: 1,
  accelerator: "tcg",
  restart_count: 0,
  ...members,
});
