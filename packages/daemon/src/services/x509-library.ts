/** Loaded when it is first needed: most daemons start without it. */
export async function loadX509() {
  await import("reflect-metadata"); // Its dependency injection wants this before it is loaded.
  return import("@peculiar/x509");
}
