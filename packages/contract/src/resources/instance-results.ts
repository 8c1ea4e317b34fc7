/** Items of the answers of the instance operations; those of create, list and get are Instances. */
import Type, { type Static, type TSchema } from "typebox";
import { instanceStates } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { answer, count, note, timestamp, words } from "../schema.ts";

const identity = {
  ...outcomeMembers,
  uuid: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
};
const state = Type.Optional(words(instanceStates));
const item = <T extends Record<string, TSchema>>(members: T) => answer({ ...identity, ...members });

export const TransitionedInstance = item({ state, previous_state: state });
export type TransitionedInstance = Static<typeof TransitionedInstance>;

export const DeletedInstance = item({ previous_state: state });
export type DeletedInstance = Static<typeof DeletedInstance>;

export const UpdatedInstance = item({ id: Type.Optional(Type.String(note("As given in the request"))) });
export type UpdatedInstance = Static<typeof UpdatedInstance>;

export const WaitedInstance = item({ state });
export type WaitedInstance = Static<typeof WaitedInstance>;

const window = (description: string) =>
  Type.Optional(answer({ start: count("First byte"), end: count("End") }, description));

export const LoggedInstance = item({
  output: Type.Optional(Type.String(note("base64"))),
  available: window("What is held"),
  range: window("What is in output"),
  state,
});
export type LoggedInstance = Static<typeof LoggedInstance>;

export const InstanceHistory = item({
  history: Type.Optional(
    Type.Array(answer({ uuid: Type.String(), name: Type.String(), created_at: timestamp("Creation") })),
  ),
});
export type InstanceHistory = Static<typeof InstanceHistory>;

export const MeasuredInstance = item({
  state,
  start_count: Type.Optional(count("Starts of all kinds")),
  restart_count: Type.Optional(count("Automatic restarts")),
  started_at: Type.Optional(timestamp("Last start")),
  stopped_at: Type.Optional(timestamp("Last stop")),
  uptime_ms: Type.Optional(count("Total run time")),
  vcpus: Type.Optional(count("Virtual processors")),
  rss_bytes: Type.Optional(count("Host memory of the VMM; 0 when stopped")),
  cpu_time_ms: Type.Optional(count("Processor time of the VMM")),
  boot_time_us: Type.Optional(count("Until the program's first instruction")),
  net_time_us: Type.Optional(count("Until the program listened")),
  rx_bytes: Type.Optional(count("Received")),
  rx_packets: Type.Optional(count("Received")),
  tx_bytes: Type.Optional(count("Sent")),
  tx_packets: Type.Optional(count("Sent")),
  wakeup_latency: Type.Optional(
    Type.Array(
      answer({
        bucket_ms: Type.Union([Type.Integer(), Type.Null()], note("Upper bound; null: above all")),
        count: count("Wakes in this bucket"),
      }),
      note("From the packet or call until it ran"),
    ),
  ),
  wakeup_latency_sum: Type.Optional(count("Milliseconds of all wakes")),
  nconns: Type.Optional(count("Open inbound connections that are not HTTP")),
  nreqs: Type.Optional(count("HTTP requests in flight")),
  nqueued: Type.Optional(count("Queued connections and requests")),
  ntotal: Type.Optional(count("Handled in total")),
});
export type MeasuredInstance = Static<typeof MeasuredInstance>;
