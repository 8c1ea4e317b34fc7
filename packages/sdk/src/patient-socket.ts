import { Socket } from "node:net";

type WriteCallback = (error?: Error | null) => void;
type Chunks = { chunk: unknown; encoding: BufferEncoding }[];

/**
 * A socket whose failed writes do not end its reading. The daemon closes once it has said its last word, perhaps while
 * we still send input that nobody wants any more: Node would then throw away what was not read yet, the last word with it.
 * What cannot be written is dropped; whoever reads learns how it ended.
 */
export class PatientSocket extends Socket {
  #deaf = false;

  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    if (this.#deaf) callback();
    else super._write(chunk, encoding, this.#patiently(callback));
  }

  override _writev(chunks: Chunks, callback: WriteCallback): void {
    if (this.#deaf) callback();
    else super._writev?.(chunks, this.#patiently(callback));
  }

  #patiently(callback: WriteCallback): WriteCallback {
    return (error) => {
      if (error) this.#deaf = true;
      callback();
    };
  }
}
