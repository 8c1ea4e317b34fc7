/**
 * Requests that may have to wake somebody pass HAProxy twice: through a socket of its own, over HTTP/1.1, each in a connection
 * of its own. When a server does not accept in time, HAProxy has a page for the first request of a connection alone, and drops
 * any other without a word (`http_return_srv_error` in its http_ana.c): clients are to ask again. Over HTTP/2 no request is a
 * first one, and clients would ask again without end. Meanwhile the last sleeper may have woken: the second pass looks again.
 */
import { type InnerSocketOptions, listenInside, reachInside } from "./inner-sockets.ts";
import { findRoom, noSleepers } from "./member-counts.ts";
import { asleepSuffix, grpcSuffix } from "./names.ts";
import { captureForm, speaksGrpc } from "./pages.ts";
import { noteBeginning } from "./wakes.ts";

export const sleepersBackend = "sleepers";

const socket = "sleepers.sock";
/** Tells the second pass what the first one has found. No client sets it, no member sees it. */
const header = "x-uni-target";

export const sleepersSections = (options: InnerSocketOptions): string[][] => [
  [
    `backend ${sleepersBackend}`,
    "  mode http",
    // A connection that were used again would have a second request.
    "  option http-server-close",
    "  http-reuse never",
    // Longer than the second pass, which has the page.
    "  timeout server 11m",
    `  http-request set-header ${header} %[var(txn.target)]`,
    `  server again ${reachInside(socket)} send-proxy-v2`,
  ],
  [
    "frontend sleepers-again",
    "  mode http",
    `  bind ${listenInside(options, socket)} accept-proxy`,
    ...captureForm,
    `  http-request set-var(txn.target) req.hdr(${header})`,
    `  http-request del-header ${header}`,
    noteBeginning,
    findRoom,
    `  http-request set-var(txn.half) str(${asleepSuffix}) if !${noSleepers}`,
    `  use_backend %[var(txn.target),concat(${grpcSuffix},txn.half)] if ${speaksGrpc}`,
    "  use_backend %[var(txn.target),concat(,txn.half)]",
  ],
];
