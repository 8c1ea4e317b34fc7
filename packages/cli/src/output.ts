import type { OutputFormat } from "./globals.ts";
import { type Palette, palette, wantsColour } from "./render/colour.ts";
import { terminalSize } from "./terminal.ts";

export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(chunk: string | Uint8Array): boolean;
  once(event: "drain", listener: () => void): unknown;
}

/** Ways to show one result: a person's text, the names alone, or the value itself. */
export interface Views {
  readonly text: () => string;
  readonly names?: () => readonly string[];
}

export interface OutputOptions {
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly colour: boolean | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** All that a command prints goes through here. */
export class Output {
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly colours: Palette;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly #columns: string | undefined;

  constructor({ format, quiet, colour, env, stdout, stderr }: OutputOptions) {
    this.format = format;
    this.quiet = quiet;
    this.stdout = stdout;
    this.stderr = stderr;
    this.colours = palette(wantsColour(stdout, env, colour));
    this.#columns = env.COLUMNS;
  }

  /** Width to fit tables into; undefined when stdout is not a terminal. */
  get width(): number | undefined {
    if (this.stdout.isTTY !== true) return undefined;
    const fromEnvironment = Number(this.#columns);
    if (Number.isInteger(fromEnvironment) && fromEnvironment > 0) return fromEnvironment;
    return terminalSize(this.stdout).columns;
  }

  get structured(): boolean {
    return this.format !== "table";
  }

  async show(value: unknown, { text, names }: Views): Promise<void> {
    if (this.format !== "table") return void this.stdout.write(await serialise(value, this.format));
    if (this.quiet && names !== undefined) {
      return void this.stdout.write(
        names()
          .map((name) => `${name}\n`)
          .join(""),
      );
    }
    const shown = text();
    if (shown !== "") this.stdout.write(shown);
  }

  /** One line of a stream of values: compact JSON, or a YAML document. */
  async showItem(value: unknown, text: () => string): Promise<void> {
    if (this.format === "json") return this.bytes(this.stdout, `${JSON.stringify(value)}\n`);
    if (this.format === "yaml") return this.bytes(this.stdout, `---\n${await serialise(value, "yaml")}`);
    return this.bytes(this.stdout, text());
  }

  /** Waits while the reader is behind, so that a fast guest cannot fill our memory. */
  bytes(stream: OutputStream, chunk: string | Uint8Array): Promise<void> {
    if (stream.write(chunk)) return Promise.resolve();
    return new Promise((resolve) => stream.once("drain", resolve));
  }

  note(line: string): void {
    if (!this.quiet && !this.structured) this.stderr.write(`${line}\n`);
  }
}

export async function serialise(value: unknown, format: "json" | "yaml"): Promise<string> {
  if (format === "json") return `${JSON.stringify(value, null, 2)}\n`;
  const { stringify } = await import("yaml");
  return stringify(value, { lineWidth: 0 });
}
