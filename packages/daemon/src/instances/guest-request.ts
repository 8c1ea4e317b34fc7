/** What a guest asks for, among all that it says. */
import type { GuestEvent } from "../guest/port.ts";

export type GuestRequest = Extract<
  GuestEvent,
  { kind: "template-requested" | "template-withdrawn" | "fork-requested" }
>;

export const isRequest = (event: GuestEvent): event is GuestRequest =>
  event.kind === "template-requested" ||
  event.kind === "template-withdrawn" ||
  event.kind === "fork-requested";
