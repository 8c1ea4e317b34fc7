/** Docker's credential helpers: programs of the user that are told a server on standard input, and answer with a secret. */
import { type ExecFileException, execFile } from "node:child_process";
import { UniError } from "@uni/contract/errors";
import type { RegistryCredentials } from "@uni/contract/registry-credentials";
import { systemReason } from "../system-reason.ts";

const patienceMs = 20_000;
const longestAnswer = 256 * 1024;

/** Undefined: it knows none. */
export async function askHelper(
  helper: string,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<RegistryCredentials | undefined> {
  const program = `docker-credential-${helper}`;
  const attempted = `asking ${program} for ${server}`;
  if (!/^[A-Za-z0-9._-]+$/.test(helper)) {
    throw new UniError("invalid_value", `${attempted}: that is no name of a program`);
  }
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const options = { env, timeout: patienceMs, maxBuffer: longestAnswer };
  const child = execFile(program, ["get"], options, (error, stdout) => {
    if (error === null) resolve(stdout);
    // Docker's own helpers say so in words; nothing else tells it from a failure.
    else if (/credentials not found/i.test(stdout)) resolve(undefined);
    else reject(new UniError("failed", `${attempted}: ${reasonOf(error)}`, { cause: error }));
  });
  child.stdin?.on("error", () => {});
  child.stdin?.end(server);
  const answer = await promise;
  return answer === undefined ? undefined : readAnswer(answer, attempted);
}

/** Its output may hold a secret: it is quoted nowhere. */
const reasonOf = (error: ExecFileException): string => {
  if (error.code === "ENOENT") return "it is not installed";
  if (error.killed === true) return `it did not answer within ${patienceMs / 1000} s`;
  return typeof error.code === "number" ? `it ended with status ${error.code}` : systemReason(error);
};

function readAnswer(text: string, attempted: string): RegistryCredentials | undefined {
  try {
    const { Username: username, Secret: password } = JSON.parse(text) as Record<string, unknown>;
    if (typeof username === "string" && typeof password === "string" && password !== "") {
      return { username, password };
    }
    return undefined;
  } catch {
    throw new UniError("failed", `${attempted}: its answer is not JSON`);
  }
}
