import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CertificateFiles } from "./certificate-files.ts";
import { Certificates } from "./certificates.ts";
import { account, makeMaterial, makePlace, makeRoot, type Place } from "./test-groups.ts";

const filesOf = ({ directory }: Place) => new CertificateFiles(join(directory, "edge", "certificates"));

async function upload(place: Place, certificates: Certificates, name = "star") {
  const material = await makeMaterial(await makeRoot(place.clock), "*.example.com", place.clock);
  return {
    material,
    record: await certificates.create(
      { account, name, commonName: "*.Example.com.", material },
      place.clock.now(),
    ),
  };
}

test("the key lies in a file for root alone, and nowhere in the database", async (context) => {
  const place = await makePlace(context);
  const certificates = await Certificates.open(place.db, filesOf(place));
  const { record, material } = await upload(place, certificates);
  assert.equal(record.commonName, "*.example.com");
  const path = certificates.files.path(record.id);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.ok((await readFile(path, "utf8")).endsWith(material.pkey));
  const secret = material.pkey.split("\n")[1] ?? "";
  for (const file of ["uni.db", "uni.db-wal"]) {
    assert.ok(!(await readFile(join(place.directory, file))).includes(secret), file);
  }
  const again = await Certificates.open(await place.reopen(), filesOf(place));
  assert.deepEqual(again.catalogue.all(), [record]);
});

test("a replacement keeps its name and common name, and a wrong one changes nothing", async (context) => {
  const place = await makePlace(context);
  const certificates = await Certificates.open(place.db, filesOf(place));
  const { record } = await upload(place, certificates);
  const path = certificates.files.path(record.id);
  const before = await readFile(path, "utf8");
  const root = await makeRoot(place.clock, "New root");
  const other = await makeMaterial(root, "www.example.org", place.clock);
  await assert.rejects(certificates.replace(record.id, other, place.clock.now()), {
    code: "certificate_mismatch",
  });
  assert.equal(await readFile(path, "utf8"), before);
  const next = await makeMaterial(root, "*.example.com", place.clock, 60);
  const after = await certificates.replace(record.id, next, place.clock.now());
  assert.match(after.details?.issuer ?? "", /New root/);
  assert.deepEqual([after.id, after.name], [record.id, record.name]);
  assert.notEqual(await readFile(path, "utf8"), before);
});

test("leftovers go at the next start, and a lost or broken file is seen", async (context) => {
  const place = await makePlace(context);
  const files = filesOf(place);
  const certificates = await Certificates.open(place.db, files);
  const { record } = await upload(place, certificates);
  const { record: lost } = await upload(place, certificates, "lost");
  const leftover = join(place.directory, "edge", "certificates", "left");
  await mkdir(leftover);
  await writeFile(files.path(record.id), "-----BEGIN CERTIFICATE-----\n");
  await files.remove(lost.id);
  const again = await Certificates.open(await place.reopen(), files);
  assert.deepEqual(
    again.catalogue.all().map(({ details }) => details),
    [undefined, undefined],
  );
  await assert.rejects(stat(leftover), { code: "ENOENT" });
});

test("a removed one is gone with its file, and its name is free again", async (context) => {
  const place = await makePlace(context);
  const certificates = await Certificates.open(place.db, filesOf(place));
  const { record } = await upload(place, certificates);
  await assert.rejects(upload(place, certificates), { code: "already_exists" });
  await certificates.remove(record.id, place.clock.now());
  await assert.rejects(stat(certificates.files.path(record.id)), { code: "ENOENT" });
  await upload(place, certificates);
  const unnamed = await certificates.create(
    { account, name: undefined, commonName: "*.example.com", material: await freshMaterial(place) },
    place.clock.now(),
  );
  assert.match(unnamed.name, /^wildcard\.example\.com-[a-z0-9]{8}$/);
});

const freshMaterial = async ({ clock }: Place) => makeMaterial(await makeRoot(clock), "*.example.com", clock);
