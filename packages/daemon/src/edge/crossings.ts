/**
 * `Autoscale-Info` on responses to requests that their group was too small for: a map has the moment of its last growth
 * beyond its mark, and what that came to. Whatever began after it had no part in it.
 */
import type { EdgeGroup, EdgePlan } from "./port.ts";

export const crossingsFile = "crossings.map";

export const crossingsMap = ({ groups }: EdgePlan): string =>
  groups
    .filter(({ tellsGrowth }) => tellsGrowth)
    .map(({ id }) => `${id} 0\n`)
    .join("");

/** Milliseconds since 1970, as HAProxy counts them too. */
export const crossingCommand = (group: string, size: number, most: number, now: number): string =>
  `set map ${crossingsFile} ${group} ${now}:${size}:${most}`;

const crossing = (field: number): string => `var(txn.crossing),field(${field},:)`;
const header = `"high-watermark-crossed, n-total=%[${crossing(2)}], n-max=%[${crossing(3)}]"`;

/** Of a backend; a dictionary as RFC 8941 has it. */
export const tellCrossing = ({ id, tellsGrowth }: EdgeGroup): string[] =>
  tellsGrowth
    ? [
        `  http-response set-var(txn.crossing) str(${id}),map(${crossingsFile})`,
        `  http-response set-header autoscale-info ${header} if { ${crossing(1)},sub(txn.began) ge 0 }`,
      ]
    : [];
