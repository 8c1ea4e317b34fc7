export type Paint = (text: string) => string;

export interface Palette {
  readonly good: Paint;
  readonly bad: Paint;
  readonly warn: Paint;
  readonly dim: Paint;
  readonly strong: Paint;
}

const wrap =
  (open: number, close: number): Paint =>
  (text) =>
    text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`;

const plain: Paint = (text) => text;

export function palette(colour: boolean): Palette {
  if (!colour) return { good: plain, bad: plain, warn: plain, dim: plain, strong: plain };
  return { good: wrap(32, 39), bad: wrap(31, 39), warn: wrap(33, 39), dim: wrap(2, 22), strong: wrap(1, 22) };
}

/** https://no-color.org: any non-empty NO_COLOR switches colour off. */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: NodeJS.ProcessEnv,
  flag: boolean | undefined,
): boolean {
  if (flag === false) return false;
  if ((env.NO_COLOR ?? "") !== "" || env.TERM === "dumb") return false;
  return stream.isTTY === true;
}

/** The colour of a state, for tables. */
export function stateColour(state: string, colours: Palette): Paint {
  switch (state) {
    case "running":
      return colours.good;
    case "starting":
    case "stopping":
    case "draining":
    case "standby":
      return colours.warn;
    default:
      return colours.dim;
  }
}
