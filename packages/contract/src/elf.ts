/** What the headers of an ELF file say about how it must be loaded (elf(5)). Little-endian and big-endian, 32 and 64 bits. */
import { UniError } from "./errors.ts";

/** A file that can be read at any position; a read past its end returns what there is. */
export interface ElfBytes {
  read(position: number, length: number): Promise<Uint8Array>;
}

export interface ElfFile {
  readonly machine: string;
  /** Executable or position-independent; objects and core files are neither. */
  readonly executable: boolean;
  readonly interpreter: string | undefined;
  /** DT_NEEDED, in order. */
  readonly libraries: readonly string[];
  /** DT_RPATH: counts for the libraries of its libraries too, and not at all where there is a run path. */
  readonly rpaths: readonly string[];
  /** DT_RUNPATH: counts for its own libraries alone. */
  readonly runPaths: readonly string[];
}

const machines: Readonly<Record<string, string>> = {
  "64le62": "amd64",
  "64le183": "arm64",
  "64le243": "riscv64",
  "64le21": "ppc64le",
  "64be22": "s390x",
  "64le258": "loong64",
  "32le3": "386",
  "32le40": "arm",
};

const segmentTypes = { load: 1, dynamic: 2, interpreter: 3 } as const;
const dynamicTags = { needed: 1, stringTable: 5, rpath: 15, runpath: 29 } as const;
const maxTableBytes = 1 << 20;
const maxNameBytes = 4096;

/** Undefined if the file is no ELF file; malformed ones are `image_invalid`. */
export async function readElf(source: ElfBytes): Promise<ElfFile | undefined> {
  const ident = await source.read(0, 64);
  if (ident.length < 20 || reader(ident, false).u32(0) !== 0x7f454c46) return undefined;
  const wide = ident[4] === 2;
  const little = ident[5] === 1;
  if (ident.length < (wide ? 64 : 52)) throw damaged("it ends inside its header");
  const read = reader(ident, little);
  const type = read.u16(16);
  const machineKey = `${wide ? 64 : 32}${little ? "le" : "be"}${read.u16(18)}`;
  const segments = await readSegments(source, ident, { wide, little });
  const interpreter = segments.find((segment) => segment.type === segmentTypes.interpreter);
  const dynamic = segments.find((segment) => segment.type === segmentTypes.dynamic);
  return {
    machine: machines[machineKey] ?? `machine ${machineKey}`,
    executable: type === 2 || type === 3,
    interpreter:
      interpreter === undefined
        ? undefined
        : await readName(source, interpreter.offset, interpreter.fileBytes),
    ...(await readDynamic(source, dynamic, segments, { wide, little })),
  };
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

interface Form {
  readonly wide: boolean;
  readonly little: boolean;
}

async function readSegments(source: ElfBytes, header: Uint8Array, form: Form): Promise<Segment[]> {
  const read = reader(header, form.little);
  const start = form.wide ? read.u64(32) : read.u32(28);
  const entryBytes = read.u16(form.wide ? 54 : 42);
  const count = read.u16(form.wide ? 56 : 44);
  if (count === 0) return [];
  if (entryBytes < (form.wide ? 56 : 32)) throw damaged("its program headers are too short");
  const table = await source.read(start, entryBytes * count);
  if (table.length < entryBytes * count) throw damaged("it ends inside its program headers");
  const segments: Segment[] = [];
  for (let at = 0; at < table.length; at += entryBytes) {
    const entry = reader(table.subarray(at, at + entryBytes), form.little);
    segments.push(
      form.wide
        ? { type: entry.u32(0), offset: entry.u64(8), address: entry.u64(16), fileBytes: entry.u64(32) }
        : { type: entry.u32(0), offset: entry.u32(4), address: entry.u32(8), fileBytes: entry.u32(16) },
    );
  }
  return segments;
}

async function readDynamic(
  source: ElfBytes,
  dynamic: Segment | undefined,
  segments: readonly Segment[],
  form: Form,
): Promise<Pick<ElfFile, "libraries" | "rpaths" | "runPaths">> {
  if (dynamic === undefined) return { libraries: [], rpaths: [], runPaths: [] };
  const entryBytes = form.wide ? 16 : 8;
  const table = await source.read(dynamic.offset, Math.min(dynamic.fileBytes, maxTableBytes));
  const needed: number[] = [];
  const rpaths: number[] = [];
  const runPaths: number[] = [];
  let strings = -1;
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes) {
    const entry = reader(table.subarray(at, at + entryBytes), form.little);
    const tag = form.wide ? entry.u64(0) : entry.u32(0);
    const value = form.wide ? entry.u64(8) : entry.u32(4);
    if (tag === 0) break;
    if (tag === dynamicTags.needed) needed.push(value);
    else if (tag === dynamicTags.stringTable) strings = value;
    else if (tag === dynamicTags.rpath) rpaths.push(value);
    else if (tag === dynamicTags.runpath) runPaths.push(value);
  }
  if (needed.length + rpaths.length + runPaths.length === 0)
    return { libraries: [], rpaths: [], runPaths: [] };
  const base = fileOffset(segments, strings);
  const names = (offsets: readonly number[]): Promise<string[]> =>
    Promise.all(offsets.map((offset) => readName(source, base + offset, maxNameBytes)));
  const directories = async (offsets: readonly number[]): Promise<string[]> =>
    (await names(offsets)).flatMap((each) => each.split(":"));
  return {
    libraries: await names(needed),
    rpaths: await directories(rpaths),
    runPaths: await directories(runPaths),
  };
}

/** Where in the file lies what the loader puts at this address. */
function fileOffset(segments: readonly Segment[], address: number): number {
  for (const { type, offset, address: start, fileBytes } of segments) {
    if (type === segmentTypes.load && address >= start && address < start + fileBytes) {
      return offset + (address - start);
    }
  }
  throw damaged("its string table is not in a segment");
}

async function readName(source: ElfBytes, offset: number, bytes: number): Promise<string> {
  const text = await source.read(offset, Math.min(bytes, maxNameBytes));
  const end = text.indexOf(0);
  if (end <= 0) throw damaged("a name in it has no end");
  return String.fromCharCode(...text.subarray(0, end));
}

function reader(bytes: Uint8Array, little: boolean) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    u16: (at: number): number => view.getUint16(at, little),
    u32: (at: number): number => view.getUint32(at, little),
    /** Values past 2^53 are in no real file; they only have to stay out of the way. */
    u64: (at: number): number => Number(view.getBigUint64(at, little)),
  };
}

function damaged(reason: string): UniError {
  return new UniError("image_invalid", `read an ELF file: ${reason}`, {
    hint: "The program is damaged or cut off; build or copy it again.",
  });
}
