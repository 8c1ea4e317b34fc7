/**
 * Takes the kernel out of a bzImage. The header fields are those of the kernel's Documentation/arch/x86/boot.rst:
 * setup_sects 0x1f1, "HdrS" 0x202, version 0x206, payload_offset 0x248 and payload_length 0x24c (since version 2.08).
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { UniError } from "@uni/contract/errors";
import { runOk } from "../host/process.ts";

export type Compression = "gzip" | "lz4" | "xz" | "zstd" | "none";

export interface Payload {
  readonly compression: Compression;
  readonly bytes: Buffer;
  /** Size of the kernel inside, as the image says it. */
  readonly size: number | undefined;
}

/** Larger than any kernel without debug information. */
const largestKernel = 256 << 20;

const magics: readonly { readonly compression: Compression; readonly magic: Buffer }[] = [
  { compression: "gzip", magic: Buffer.from("1f8b08", "hex") },
  { compression: "lz4", magic: Buffer.from("02214c18", "hex") },
  { compression: "xz", magic: Buffer.from("fd377a585a00", "hex") },
  { compression: "zstd", magic: Buffer.from("28b52ffd", "hex") },
  { compression: "none", magic: Buffer.from("7f454c46", "hex") },
];

export function locatePayload(image: Buffer): Payload {
  if (image.length < 0x250 || image.toString("latin1", 0x202, 0x206) !== "HdrS")
    throw refuse("no bzImage header");
  if (image.readUInt16LE(0x206) < 0x208) throw refuse("its boot protocol is older than 2.08");
  const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248);
  const length = image.readUInt32LE(0x24c);
  if (length < 16 || start + length > image.length) throw refuse("its payload lies outside the file");
  return identifyPayload(image.subarray(start, start + length));
}

/** The kernel build appends the size of the kernel to every payload but gzip, which ends in it anyway. */
function identifyPayload(payload: Buffer): Payload {
  const known = magics.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (!known) throw refuse(`unknown compression (starts with ${payload.toString("hex", 0, 6)})`);
  if (known.compression === "none") return { compression: "none", bytes: payload, size: undefined };
  const size = payload.readUInt32LE(payload.length - 4);
  if (size > largestKernel) throw refuse(`it claims a kernel of ${size} bytes`);
  const bytes = known.compression === "gzip" ? payload : payload.subarray(0, -4);
  return { compression: known.compression, bytes, size };
}

export async function unpackPayload(payload: Payload, signal?: AbortSignal): Promise<Buffer> {
  const bytes = await decompress(payload.compression, payload.bytes, signal);
  if (payload.size === undefined || bytes.length === payload.size) return bytes;
  throw refuse(`it holds ${bytes.length} bytes and claims ${payload.size}`);
}

/** Modules and flat kernels come compressed as whole files; the magic number says how. */
export async function decompressFile(bytes: Buffer, signal?: AbortSignal): Promise<Buffer> {
  const known = magics.find(({ magic }) => bytes.subarray(0, magic.length).equals(magic));
  return decompress(known?.compression ?? "none", bytes, signal);
}

async function decompress(compression: Compression, bytes: Buffer, signal?: AbortSignal): Promise<Buffer> {
  const limit = { maxOutputLength: largestKernel };
  switch (compression) {
    case "none":
      return bytes;
    case "gzip":
      return gunzipSync(bytes, limit);
    case "zstd":
      return zstdDecompressSync(bytes, limit);
    case "lz4":
    case "xz": {
      const options = {
        stdin: bytes,
        keepBytes: largestKernel,
        timeoutMs: 60_000,
        ...(signal && { signal }),
      };
      const { stdout } = await runOk(compression, ["-d", "-c", "-q"], options);
      return stdout;
    }
  }
}

const refuse = (reason: string) => new UniError("failed", `take the kernel out of its image: ${reason}`);
