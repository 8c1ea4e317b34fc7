/** A name that begins with the address of this machine's own registry means what is here. */
export function withoutOwnHost(reference: string, hosts: readonly string[]): string {
  const host = hosts.find((each) => reference.startsWith(`${each}/`));
  return host === undefined ? reference : reference.slice(host.length + 1);
}
