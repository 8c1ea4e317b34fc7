/** Whom TLS connections to a registry trust: the system's authorities, and those of the host's own directory. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { UniError } from "@uni/contract/errors";

/** Where Linux distributions keep the authorities of the system. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Directories with one directory a host, as Docker and Podman have them. */
export const certificateDirectories: readonly string[] = ["/etc/docker/certs.d", "/etc/containers/certs.d"];

export async function trustFor(host: string, directories: readonly string[]): Promise<SecureContext> {
  const own = (await Promise.all(directories.map((each) => readHost(join(each, host))))).flat();
  const authorities = own.filter(({ name }) => name.endsWith(".crt")).map(({ text }) => text);
  const certificate = own.find(({ name }) => name.endsWith(".cert"));
  const key = own.find(({ name }) => name === certificate?.name.replace(/\.cert$/, ".key"));
  try {
    return createSecureContext({
      ca: [...(await systemAuthorities()), ...authorities],
      ...(certificate === undefined ? {} : { cert: certificate.text }),
      ...(key === undefined ? {} : { key: key.text }),
    });
  } catch (error) {
    throw new UniError(
      "certificate_invalid",
      `read the certificates for ${host} in ${directories.join(" and ")}: ${(error as Error).message}`,
      { hint: "NAME.crt holds roots to trust; NAME.cert and NAME.key are this machine's own.", cause: error },
    );
  }
}

async function systemAuthorities(): Promise<readonly string[]> {
  for (const path of [process.env.SSL_CERT_FILE, ...systemBundles]) {
    const text = path === undefined ? undefined : await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) return [text];
  }
  return rootCertificates;
}

async function readHost(directory: string) {
  const names = await readdir(directory).catch(() => []);
  const wanted = names.filter((name) => /\.(?:crt|cert|key)$/.test(name)).sort();
  return Promise.all(
    wanted.map(async (name) => ({ name, text: await readFile(join(directory, name), "utf8") })),
  );
}
