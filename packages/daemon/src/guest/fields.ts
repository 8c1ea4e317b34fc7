/** Messages are runs of fields: key u8, length u32, bytes. A key may repeat. */
import { ProtocolError } from "./wire.ts";

export type FieldValue = string | Uint8Array | { readonly u32: number } | { readonly u64: bigint };

export function encodeFields(fields: readonly (readonly [key: number, value: FieldValue])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([key, value]) => {
      const bytes = valueBytes(value);
      const head = Buffer.alloc(5);
      head.writeUInt8(key);
      head.writeUInt32LE(bytes.length, 1);
      return [head, bytes];
    }),
  );
}

/** The last value of each key. */
export class Fields {
  readonly #values = new Map<number, Buffer>();

  constructor(bytes: Buffer) {
    let at = 0;
    while (at < bytes.length) {
      if (bytes.length - at < 5) throw new ProtocolError("a field is cut short");
      const length = bytes.readUInt32LE(at + 1);
      if (length > bytes.length - at - 5) throw new ProtocolError("a field is longer than its message");
      this.#values.set(bytes.readUInt8(at), bytes.subarray(at + 5, at + 5 + length));
      at += 5 + length;
    }
  }

  /** A missing number is 0. */
  number(key: number): number {
    const bytes = this.#values.get(key);
    if (bytes === undefined) return 0;
    if (bytes.length === 4) return bytes.readUInt32LE();
    if (bytes.length === 8) return Number(bytes.readBigUInt64LE());
    throw new ProtocolError(`field ${key} is no number`);
  }

  text(key: number): string {
    return this.#values.get(key)?.toString("utf8") ?? "";
  }
}

function valueBytes(value: FieldValue): Uint8Array {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  if ("u32" in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value.u32);
    return bytes;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value.u64);
  return bytes;
}
