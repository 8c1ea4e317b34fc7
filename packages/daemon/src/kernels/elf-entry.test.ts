import assert from "node:assert/strict";
import { test } from "node:test";
import { requireArmImage, requirePvhEntry } from "./elf-entry.ts";

interface Note {
  readonly name: string;
  readonly type: number;
  readonly content: Buffer;
}

function elfWithNotes(notes: readonly Note[]): Buffer {
  const bytes = Buffer.concat(notes.map(noteBytes));
  const elf = Buffer.alloc(64 + 56 + bytes.length);
  elf.write("\x7fELF\x02\x01", "latin1");
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(4, 64);
  elf.writeBigUInt64LE(120n, 64 + 8);
  elf.writeBigUInt64LE(BigInt(bytes.length), 64 + 32);
  bytes.copy(elf, 120);
  return elf;
}

function noteBytes({ name, type, content }: Note): Buffer {
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(name.length + 1, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  return Buffer.concat([head, pad(Buffer.from(`${name}\0`)), pad(content)]);
}

const entry: Note = { name: "Xen", type: 18, content: Buffer.alloc(4) };

test("finds the PVH entry behind other notes", () => {
  const buildId: Note = { name: "GNU", type: 3, content: Buffer.alloc(21) };
  requirePvhEntry(elfWithNotes([buildId, { name: "Xen", type: 6, content: Buffer.alloc(9) }, entry]));
});

test("refuses an ELF without it, also when another vendor's note has its number", () => {
  assert.throws(() => requirePvhEntry(elfWithNotes([{ ...entry, name: "Foo" }])), /no PVH entry/);
  assert.throws(() => requirePvhEntry(elfWithNotes([])), /no PVH entry/);
});

test("refuses what is no 64-bit ELF, and sizes that point outside", () => {
  assert.throws(() => requirePvhEntry(Buffer.from("MZ")), /not a 64-bit ELF/);
  const lying = elfWithNotes([entry]);
  lying.writeUInt32LE(0xffff_ffff, 120 + 4);
  lying.writeUInt32LE(1, 120 + 8);
  assert.throws(() => requirePvhEntry(lying), /no PVH entry/);
  const outside = elfWithNotes([entry]);
  outside.writeBigUInt64LE(0xffff_ffff_ffffn, 32);
  assert.throws(() => requirePvhEntry(outside), /no PVH entry/);
});

test("an arm64 kernel is known by its magic number", () => {
  const image = Buffer.alloc(128);
  assert.throws(() => requireArmImage(image), /not an arm64 Image/);
  image.write("ARM\x64", 0x38, "latin1");
  requireArmImage(image);
});
