/** Bounds of what a request may carry. An account's quota can be tighter; the daemon checks that. */
export const limits = {
  nameLength: 255,
  arrayItems: 253,
  tags: 16,
  tagLength: 256,
  annotations: 256,
  annotationValueLength: 65_536,
  memoryMb: { minimum: 16, maximum: 1_048_576, default: 128 },
  vcpus: { minimum: 1, maximum: 64, default: 1 },
  /** Instances that are branched, kept or rewound together. */
  instanceSet: 64,
  prepareTimeoutS: { minimum: 0, maximum: 86_400, default: 300 },
  replicas: { minimum: 0, maximum: 252 },
  port: { minimum: 1, maximum: 65_535 },
  ports: 64,
  /** Host ports that are picked from when none is asked for: below those that Linux gives to outgoing connections. */
  exposedPorts: { minimum: 30_000, maximum: 32_767 },
  drainMs: { minimum: -1, maximum: 3_600_000 },
  /** -1 waits without limit. */
  timeoutS: { minimum: -1, maximum: 86_400 * 365 },
  graceS: { minimum: 0, maximum: 3_600, default: 30 },
  cooldownMs: { minimum: 0, maximum: 86_400_000, default: 1_000 },
  logBytes: { minimum: 0, maximum: 1_048_576, default: 4_096, defaultOffset: -4_096 },
  restartRetries: { minimum: 0, maximum: 65_535 },
  servicePorts: 64,
  domains: 64,
  domainLength: 253,
  groupLimit: { minimum: 1, maximum: 65_535, defaultSoft: 1, defaultHard: 65_535 },
  scale: {
    size: { minimum: 0, maximum: 64, defaultMin: 1, defaultMax: 4 },
    /** Of warm-up, cool-down and the time without requests. */
    timeMs: { minimum: 0, maximum: 86_400_000, default: 1_000 },
    policies: 16,
    steps: 4,
    bound: { minimum: 0, maximum: 2_147_483_647 },
    adjustment: { minimum: -10_000, maximum: 10_000 },
    requests: { minimum: 1, maximum: 2_147_483_647 },
  },
  autokillMs: { minimum: 0, maximum: 365 * 86_400_000 },
  chainBytes: 65_536,
  chainLength: 10,
  privateKeyBytes: 16_384,
  roms: 8,
  romFiles: 16,
  /** Of one ROM that is given as files, without their names. */
  romBytes: 1 << 20,
  plugins: 8,
  networkInterfaces: 4,
  argumentBytes: 131_072,
  arguments: 4_096,
  environment: 4_096,
  pathLength: 4_096,
  /** Images in one archive. */
  savedImages: 64,
  bodyBytes: 8 << 20,
  rpcLineBytes: 8 << 20,
} as const;

/** Names are shown in URLs, host names' neighbourhoods and terminals: no blanks, slashes or control characters. */
export const namePattern = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";
export const tagPattern = "^[A-Za-z0-9\\-+_.:=]+$";
/** A part of the name of the device /dev/ukp_rom_NAME. */
export const romNamePattern = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$";
/** Of a further context of a build. */
export const contextNamePattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$";
/** RFC 1123 label. */
export const hostnamePattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$";
/** Kubernetes label key: an optional DNS prefix and a slash, then a name. */
export const annotationKeyPattern =
  "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$";
/** No ASCII control characters. */
export const annotationValuePattern = "^[^\\u0000-\\u001f\\u007f]*$";
/** POSIX forbids "=" in a name; NUL would end it early. `__proto__` is refused because readers copy maps by key. */
export const environmentKeyPattern = "^(?!__proto__$)[^=\\u0000]+$";
export const noNulPattern = "^[^\\u0000]*$";
export const ipv4Pattern = "^((25[0-5]|2[0-4]\\d|1?\\d?\\d)(\\.(?!$)|$)){4}$";
