/** A password from standard input: what is piped in, or what is typed and not shown. */
import { StringDecoder } from "node:string_decoder";
import { UniError } from "@uni/contract/errors";
import type { Output } from "./output.ts";
import { enterRawMode } from "./terminal.ts";

const longest = 65_536;

/** Without its line end. */
export async function readPipedPassword(stdin: NodeJS.ReadStream): Promise<string> {
  const decoder = new StringDecoder("utf8");
  let text = "";
  for await (const chunk of stdin) {
    text += decoder.write(chunk as Buffer);
    if (text.length > longest) throw new UniError("invalid_value", "reading the password: it is too long");
  }
  return required(text.replace(/\r?\n$/, ""));
}

export async function askPassword(stdin: NodeJS.ReadStream, out: Output): Promise<string> {
  if (!stdin.isTTY) {
    throw new UniError("malformed", "reading the password: standard input is not a terminal", {
      hint: "Pipe it in: uni login HOST -u USER --password-stdin < FILE",
    });
  }
  out.stderr.write("Password: ");
  const restore = enterRawMode(stdin);
  try {
    return required(await typed(stdin));
  } finally {
    restore();
    stdin.pause();
    out.stderr.write("\n");
  }
}

async function typed(stdin: NodeJS.ReadStream): Promise<string> {
  let text = "";
  for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
    for (const character of (chunk as Buffer).toString("utf8")) {
      if (character === "\r" || character === "\n") return text;
      if (character === "\u0003" || character === "\u0004") {
        throw new UniError("failed", "reading the password: given up");
      }
      if (character === "\u007f" || character === "\b") text = text.slice(0, -1);
      else if (text.length < longest) text += character;
    }
  }
  return text;
}

function required(password: string): string {
  if (password !== "") return password;
  throw new UniError("invalid_value", "reading the password: it is empty");
}
