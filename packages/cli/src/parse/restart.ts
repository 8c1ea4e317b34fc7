import { InvalidArgumentError } from "commander";

export interface RestartPolicy {
  readonly policy: "never" | "always" | "on-failure";
  readonly max_retries?: number;
}

/** `never` (also `no`), `always` (also `unless-stopped`: what was stopped stays so), `on-failure`, `on-failure:5`. */
export function parseRestart(text: string): RestartPolicy {
  const match = /^(never|no|always|unless-stopped|on-failure)(?::(\d{1,5}))?$/.exec(text);
  const [, name, retries] = match ?? [];
  if (name === undefined || (retries !== undefined && name !== "on-failure")) {
    throw new InvalidArgumentError("Give never, always, on-failure or on-failure:RETRIES.");
  }
  const policy = name === "no" ? "never" : name === "unless-stopped" ? "always" : name;
  return {
    policy: policy as RestartPolicy["policy"],
    ...(retries === undefined ? {} : { max_retries: Number(retries) }),
  };
}
