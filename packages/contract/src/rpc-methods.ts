/** The people-methods of the unix socket. Every operation of operations.ts can be called there under its id as well. */
import type { Static, TSchema } from "typebox";
import type { Certificate } from "./resources/certificate.ts";
import type { PinnedImage } from "./resources/image.ts";
import type {
  CaInfo,
  DaemonEvent,
  DaemonInfo,
  DiskUsage,
  DoctorReport,
  ExecResult,
  FoundRepository,
  ImageDetail,
  ImageFile,
  ImageLayer,
  KernelCheck,
  KernelInfo,
  LogLine,
  RegistryInfo,
  SavedInfo,
  StatusOk,
  VmDetail,
  VmInfo,
  VmStats,
} from "./rpc.ts";
import {
  BranchParams,
  BuildParams,
  CheckpointParams,
  ConsoleParams,
  CopyOutParams,
  IdParams,
  ImageCopyOutParams,
  ImageFilesParams,
  ImageParams,
  ImageReadParams,
  KillParams,
  ListParams,
  LoadParams,
  LoginParams,
  LogsParams,
  NoParams,
  PruneParams,
  PullParams,
  PushParams,
  RegistryParams,
  RemoveParams,
  RewindParams,
  RunParams,
  SaveParams,
  SearchParams,
  ShutdownParams,
  SignalParams,
  StartParams,
  StatsParams,
  StopParams,
  SuspendParams,
  TagParams,
  TunnelParams,
  UpdateParams,
  VersionParams,
  VmCopyInParams,
  VmExecParams,
} from "./rpc-params.ts";

/**
 * reply: one line. frames: the reply opens a stream of frames, which ends with a result or an error frame.
 * raw: the reply opens a stream of console bytes, which ends when the connection does.
 */
export type RpcMode = "reply" | "frames" | "raw";

export interface RpcMethod<Params extends TSchema = TSchema> {
  readonly params: Params;
  readonly mode: RpcMode;
  /** The client sends data (or stdin) frames and `end`. */
  readonly upload: boolean;
  readonly summary: string;
}

const reply = <P extends TSchema>(params: P, summary: string) =>
  ({ params, mode: "reply", upload: false, summary }) as const;
const frames = <P extends TSchema>(params: P, summary: string) =>
  ({ params, mode: "frames", upload: false, summary }) as const;
const upload = <P extends TSchema>(params: P, summary: string) =>
  ({ params, mode: "frames", upload: true, summary }) as const;
const raw = <P extends TSchema>(params: P, summary: string) =>
  ({ params, mode: "raw", upload: false, summary }) as const;

export const rpcMethods = {
  "VM.Run": reply(RunParams, "Create an instance and start it"),
  "VM.List": reply(ListParams, "List instances, oldest first"),
  "VM.Get": reply(IdParams, "One instance in short"),
  "VM.Inspect": reply(IdParams, "Everything about one instance"),
  "VM.Suspend": reply(SuspendParams, "Put it to sleep; the next packet wakes it"),
  "VM.Start": reply(StartParams, "Start it; harmless when it runs"),
  "VM.Stop": reply(StopParams, "Stop it and wait until it is stopped"),
  "VM.Restart": reply(StopParams, "Stop it, then start it"),
  "VM.Kill": reply(KillParams, "Kill it at once, or send its program a signal"),
  "VM.Signal": reply(SignalParams, "Send its program a signal"),
  "VM.Remove": reply(RemoveParams, "Delete it"),
  "VM.Wait": reply(IdParams, "Wait until it does not run any more; its exit code"),
  /** With follow, tail or since the reply opens a stream of event frames, one LogLine each. */
  "VM.Logs": reply(LogsParams, "What its program printed"),
  "VM.Attach": raw(IdParams, "Its console from now on, raw"),
  /** Frames stdout, stderr, and event for a LogLine of what Uni says; takes stdin, end, resize and signal. */
  "VM.Console": upload(ConsoleParams, "Its output from now on, and its program's input"),
  "VM.Exec": upload(VmExecParams, "Run another program in it"),
  /** Both sides send data frames and `end` when they have no more. */
  "VM.Tunnel": upload(TunnelParams, "Connect to a TCP port of it"),
  "VM.Stats": reply(StatsParams, "Resources in use, of one or of all that run"),
  "VM.Update": reply(UpdateParams, "Change properties"),
  "VM.Branch": reply(BranchParams, "Copy instances as they are at one instant; they go on"),
  "VM.Checkpoint": reply(CheckpointParams, "Keep instances as they are at one instant; they go on"),
  "VM.Rewind": reply(RewindParams, "Take instances back to what checkpoints of them hold"),
  "VM.CopyOut": frames(CopyOutParams, "A tar of a file or tree in it"),
  "VM.CopyIn": upload(VmCopyInParams, "Unpack a tar in it"),
  "Image.List": reply(NoParams, "List images"),
  "Image.Get": reply(ImageParams, "One image"),
  "Image.Remove": reply(ImageParams, "Remove a reference, and the image with its last one"),
  "Image.Tag": reply(TagParams, "Give an image another reference"),
  "Image.Prune": reply(
    PruneParams,
    "Remove images without a name that nobody uses, and boot snapshots over their bound",
  ),
  "Image.Build": upload(BuildParams, "Build an image from what is uploaded"),
  "Image.Pull": frames(PullParams, "Pull an image from its registry"),
  "Image.Load": upload(LoadParams, "Load an OCI or Docker archive"),
  "Image.Search": reply(SearchParams, "Names in this machine's registry"),
  "Image.Pins": reply(NoParams, "Images that are pinned"),
  "Image.Push": frames(PushParams, "Push an image to a registry"),
  "Image.Save": frames(SaveParams, "An archive of images"),
  "Image.History": reply(ImageParams, "How an image was made, newest step first"),
  "Image.Files": frames(ImageFilesParams, "What is in a directory of an image"),
  "Image.ReadFile": frames(ImageReadParams, "A file of an image"),
  "Image.CopyOut": frames(ImageCopyOutParams, "A tar of a file or tree of an image"),
  "Registry.Login": reply(LoginParams, "Keep credentials of a registry, for pulls and pushes"),
  "Registry.Logout": reply(RegistryParams, "Forget credentials of a registry"),
  "Registry.List": reply(NoParams, "Registries for which credentials are kept"),
  "Registry.Check": reply(RegistryParams, "Ask a registry whether it takes what is kept for it"),
  "Kernel.List": reply(NoParams, "Kernel bundles, newest first"),
  "Kernel.Use": reply(VersionParams, "Boot new instances with this one"),
  "Kernel.Check": reply(NoParams, "Is there a newer one"),
  "Kernel.Update": frames(NoParams, "Install the distribution's newest"),
  "Kernel.Build": frames(NoParams, "Build the lean one"),
  "Kernel.Remove": reply(VersionParams, "Remove one that nothing uses"),
  "Certificate.Renew": reply(IdParams, "Have a certificate's authority issue it now"),
  "Ca.Get": reply(NoParams, "The local authority's certificate"),
  "Ca.Trust": reply(NoParams, "Have this machine trust the local authority"),
  "Daemon.Version": reply(NoParams, "The daemon's version"),
  "Daemon.Info": reply(NoParams, "What the daemon is and has"),
  "Daemon.DiskUsage": reply(NoParams, "What takes room on the disk"),
  "Daemon.Doctor": reply(NoParams, "Check the host"),
  "Daemon.Events": frames(NoParams, "What happens to instances from now on"),
  "Daemon.Shutdown": reply(ShutdownParams, "End the daemon; instances go on unless told otherwise"),
} as const satisfies Record<string, RpcMethod>;

export type RpcMethodName = keyof typeof rpcMethods;
export type RpcParams<M extends RpcMethodName> = Static<(typeof rpcMethods)[M]["params"]>;

/** The reply of a reply-method; the result frame of a frames-method. */
export interface RpcResults {
  "VM.Run": VmInfo;
  "VM.List": readonly VmInfo[];
  "VM.Get": VmInfo;
  "VM.Inspect": VmDetail;
  "VM.Start": VmInfo;
  "VM.Suspend": VmInfo;
  "VM.Stop": VmInfo;
  "VM.Restart": VmInfo;
  "VM.Kill": StatusOk;
  "VM.Signal": StatusOk;
  "VM.Remove": StatusOk & { readonly id: string; readonly name: string };
  "VM.Wait": {
    readonly exit_code: number | null;
    readonly state: VmInfo["state"];
    readonly exit_reason?: string;
  };
  "VM.Logs": { readonly id: string; readonly logs: string };
  "VM.Attach": undefined;
  "VM.Console": ExecResult;
  "VM.Exec": ExecResult;
  "VM.Tunnel": StatusOk;
  "VM.Stats": readonly VmStats[];
  "VM.Update": VmDetail;
  "VM.Branch": readonly VmInfo[];
  "VM.Checkpoint": readonly SavedInfo[];
  "VM.Rewind": readonly VmInfo[];
  "VM.CopyOut": { readonly bytes: number };
  "VM.CopyIn": { readonly bytes: number; readonly entries: number };
  "Image.List": readonly ImageDetail[];
  "Image.Get": ImageDetail;
  "Image.Remove": { readonly removed: readonly string[]; readonly deleted: boolean };
  "Image.Tag": StatusOk;
  "Image.Prune": { readonly freed_bytes: number };
  "Image.Build": ImageDetail;
  "Image.Pull": ImageDetail;
  "Image.Load": readonly ImageDetail[];
  "Image.Search": readonly FoundRepository[];
  "Image.Pins": readonly PinnedImage[];
  "Image.Push": { readonly reference: string; readonly digest: string };
  "Image.Save": { readonly bytes: number };
  "Image.History": readonly ImageLayer[];
  "Image.Files": { readonly entries: number };
  "Image.ReadFile": { readonly bytes: number };
  "Image.CopyOut": { readonly bytes: number };
  "Registry.Login": { readonly registry: string };
  "Registry.Logout": { readonly registry: string };
  "Registry.List": readonly RegistryInfo[];
  "Registry.Check": { readonly registry: string };
  "Kernel.List": readonly KernelInfo[];
  "Kernel.Use": KernelInfo;
  "Kernel.Check": KernelCheck;
  "Kernel.Update": KernelInfo;
  "Kernel.Build": KernelInfo;
  "Kernel.Remove": StatusOk;
  "Certificate.Renew": Certificate;
  "Ca.Get": CaInfo;
  "Ca.Trust": CaInfo & { readonly path: string };
  "Daemon.Version": { readonly version: string };
  "Daemon.Info": DaemonInfo;
  "Daemon.DiskUsage": DiskUsage;
  "Daemon.Doctor": DoctorReport;
  "Daemon.Events": StatusOk;
  "Daemon.Shutdown": StatusOk;
}

/** What an event frame of a method carries. */
export interface RpcEvents {
  "VM.Console": LogLine;
  "VM.Logs": LogLine;
  "Image.Files": ImageFile;
  "Daemon.Events": DaemonEvent;
}

export const rpcErrorCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  /** Everything else; `data` is an ErrorBody. */
  failed: -32000,
} as const;
