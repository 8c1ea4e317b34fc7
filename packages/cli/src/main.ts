import { UniError } from "@uni/contract/errors";
import { connect } from "@uni/sdk/connect";
import { commandTable } from "./command-table.ts";
import type { Context } from "./context.ts";
import { ownWords } from "./docker-words.ts";
import { formatFromArguments, type GlobalOptions, resolveTarget } from "./globals.ts";
import { watchInterrupts } from "./interrupts.ts";
import { Output } from "./output.ts";
import { buildProgram, runProgram } from "./program.ts";
import { reportError } from "./report-error.ts";
import { systemReason } from "./system-reason.ts";
import { cliVersion } from "./version.ts";

const args = ownWords(process.argv.slice(2));
const interrupts = watchInterrupts();

function makeContext(options: GlobalOptions): Context {
  const out = new Output({
    format: options.output ?? "table",
    quiet: options.quiet === true,
    colour: options.color,
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
  });
  const target = resolveTarget(options, process.env);
  return {
    client: connect(target.kind === "socket" ? { socketPath: target.path } : target),
    out,
    interrupts,
    env: process.env,
    // Making the stream costs milliseconds that most commands need not spend.
    get stdin() {
      return process.stdin;
    },
    signal: interrupts.signal,
    afterDashes: args.includes("--") ? args.slice(args.indexOf("--") + 1) : [],
  };
}

/** Resolves once what was written is with the system, or the reader is gone. A failed write of a file is told a turn later. */
const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) =>
    stream.writableLength === 0 ? setImmediate(resolve) : stream.write("", () => resolve()),
  );

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return interrupts.readerGone();
  const lost = new UniError("no_space", `writing the output: ${systemReason(error)}`);
  process.exit(reportError(lost, formatFromArguments(args), process.stderr));
});
process.stderr.on("error", () => {});

let status = 0;
try {
  const program = await buildProgram(args, {
    entries: commandTable,
    makeContext,
    version: cliVersion,
    onStatus(next) {
      status = next;
    },
  });
  await runProgram(program, args);
} catch (error) {
  const failure = interrupts.signal.aborted ? interrupts.signal.reason : error;
  status = reportError(failure, formatFromArguments(args), process.stderr);
}
interrupts.dispose();
// An open stdin would keep the process alive, so it is ended; a slow reader of a pipe has had all of the output by then.
await Promise.all([process.stdout, process.stderr].map(flushed));
process.exit(status);
