/** Numbers of the guest protocol; docs/reference/guest-protocol.md explains them, native/guest/src/wire.h has them too. */

export const helloMagic = Buffer.from("uni-agent/1\n");
export const tokenLength = 16;
/** The token's first bytes end every frame. */
export const tagLength = 4;
export const frameHeader = 8;
/** Payload limits, host to agent and back. */
export const maxToGuest = 8192;
export const maxToHost = 16384;
/** Credit of a fresh stream, per direction. */
export const creditToHost = 256 << 10;
export const creditToGuest = 64 << 10;
/** An agent grants more once a stream is open, but never more than this at once. */
export const windowToGuest = 256 << 10;
/** What the agent keeps of the log: an honest one never has more under way. */
export const logWindow = 256 << 10;

/** Bytes of a notice to the guest's programs. */
export const maxNotice = 1024;

/** Flag of a frame that is a part of a message, but not its last. */
export const flagMore = 1;
/** Flag of DATA and CREDIT. */
export const sides = { out: 0, err: 1 } as const;

export const types = {
  configure: 1,
  refresh: 2,
  signal: 3,
  stop: 4,
  powerOff: 5,
  stats: 6,
  notify: 7,
  logAck: 8,
  eventAck: 9,
  goodbyeAck: 10,
  become: 11,
  answerTemplate: 12,
  answerFork: 13,
  childChanged: 14,
  openInput: 15,
  openExec: 16,
  openRead: 17,
  openWrite: 18,
  data: 19,
  end: 20,
  credit: 21,
  resize: 22,
  streamSignal: 23,
  close: 24,
  state: 32,
  reply: 33,
  event: 34,
  log: 35,
  logLost: 36,
  goodbye: 37,
  opened: 38,
  streamExited: 39,
  streamFailed: 40,
} as const;

export const agentStates = { waiting: 0, configured: 1, poweringOff: 2 } as const;
export const eventKinds = {
  started: 1,
  listening: 2,
  oom: 3,
  exited: 4,
  startFailed: 5,
  inhibited: 6,
  templateRequested: 7,
  forkRequested: 8,
} as const;
export const logStreams = { 1: "stdout", 2: "stderr", 3: "system" } as const;

export const keys = {
  hostname: 1,
  address: 2,
  gateway: 3,
  nameserver: 4,
  machineId: 5,
  mode: 6,
  argument: 7,
  environment: 8,
  user: 9,
  workingDirectory: 10,
  stopSignal: 11,
  timeUs: 12,
  seed: 13,
  signal: 14,
  graceMs: 15,
  rows: 16,
  columns: 17,
  path: 18,
  code: 19,
  reason: 20,
  us: 21,
  port: 22,
  process: 23,
  rssKb: 24,
  oomKilled: 25,
  state: 27,
  text: 28,
  count: 29,
  memoryTotalKb: 32,
  memoryAvailableKb: 33,
  cpuMs: 34,
  processes: 35,
  diskUsedKb: 36,
  diskTotalKb: 37,
  connections: 38,
  inhibitors: 39,
  mac: 40,
  kind: 41,
  instanceId: 42,
  instanceName: 43,
  rom: 44,
  romName: 45,
  romAt: 46,
  romSlot: 47,
  request: 48,
  failure: 49,
  child: 50,
  snapshot: 51,
  createdS: 52,
  status: 53,
  stdin: 54,
} as const;

/** In the place of the offset in the answer to OPEN_INPUT: who asks has given nothing yet. */
export const inputAnew = 0xffff_ffff_ffff_ffffn;

/** In the place of a log offset in the hello: what was before is no concern of this host's. */
export const logAnew = 0xffff_ffff_ffff_ffffn;

export const becomingKinds = { template: 1, fork: 2, branch: 3, checkpoint: 4, rewind: 5 } as const;
export const failures = { refused: 1, limit: 2, no_space: 3, failed: 4 } as const;
export const childStatuses = {
  starting: 1,
  running: 2,
  draining: 3,
  stopping: 4,
  stopped: 5,
  template: 6,
} as const;

/** What a guest sent that no honest agent sends: its channel is closed. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}
