/** Where connections come from: a load balancer that says for whom, and at most so many of one source. */

/** Of one address. A tenth of what HAProxy takes altogether, see `fd-hard-limit`. */
const mostPerSource = 2_000;

export const sourcesTable: readonly string[] = [
  "backend sources",
  "  stick-table type ipv6 size 200k expire 1m store conn_cur",
];

/** Of a frontend. Whoever is no such balancer is not listened to about its address. */
export const acceptSources = (proxies: readonly string[]): string[] => [
  ...expectProxy(proxies),
  "  tcp-request session track-sc1 src table sources",
  `  tcp-request session reject if { sc1_conn_cur gt ${mostPerSource} }`,
];

export const expectProxy = (proxies: readonly string[]): string[] =>
  proxies.length === 0
    ? []
    : [`  tcp-request connection expect-proxy layer4 if { src ${proxies.join(" ")} }`];
