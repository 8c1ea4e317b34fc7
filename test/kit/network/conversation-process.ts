/** Speaks `conversation.ts` for a namespace: a request per line on stdin, its result per line on stdout. */
import { createInterface } from "node:readline";
import { answer, ask, type Question } from "./conversation.ts";

export interface ProcessRequest {
  readonly id: number;
  readonly ask?: Question;
  readonly answer?: { readonly name: string; readonly port: number };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as ProcessRequest;
  void serve(request).then((result) => console.log(JSON.stringify({ id: request.id, result })));
}
// The servers would keep it alive after the test has gone.
process.exit(0);

async function serve(request: ProcessRequest): Promise<string> {
  if (request.ask !== undefined) return ask(request.ask);
  if (request.answer === undefined) return "!nothing asked";
  await answer(request.answer.name, request.answer.port);
  return "ready";
}
