/** Thrown values go by `err`: pino writes message and stack of that one only, and of others nothing at all. */
export type LogFields = Readonly<Record<string, unknown>> & { readonly error?: never };

/** What a room may log; pino fits it. Never pass a secret: fields are written as they are. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: object): Log;
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
