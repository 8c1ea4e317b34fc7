/** By which HAProxy speaks to itself. They lie in the directory that its workers have as their root. */

export interface InnerSocketOptions {
  readonly uid: number;
  readonly emptyDirectory: string;
}

export const listenInside = ({ emptyDirectory, uid }: InnerSocketOptions, name: string): string =>
  `unix@${emptyDirectory}/${name} mode 600 uid ${uid}`;

export const reachInside = (name: string): string => `unix@/${name}`;
