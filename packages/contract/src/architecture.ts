/** Names of machine architectures, as images have them. */

const byNode: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  riscv64: "riscv64",
  ppc64: "ppc64le",
  s390x: "s390x",
  loong64: "loong64",
};

/** Names that kernels and people use besides. */
const otherNames: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** Of `process.arch`. */
export const architectureOf = (nodeName: string): string => byNode[nodeName] ?? nodeName;

export const imageArchitecture = (name: string): string => otherNames[name] ?? name;
