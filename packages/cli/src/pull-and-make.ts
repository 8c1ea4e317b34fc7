/** Makes instances; images that are not here are pulled first, where one sees how that gets on. */
import type { PullPolicy } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { VmInfo } from "@uni/contract/rpc";
import type { RpcParams } from "@uni/contract/rpc-methods";
import type { Context } from "./context.ts";
import { makeInstances } from "./make-instances.ts";
import { withSpinner } from "./progress.ts";
import { pullImage } from "./pull-image.ts";
import { withPathHint } from "./run-options.ts";

export interface MakeOptions {
  readonly count: number;
  readonly pull: PullPolicy;
  /** What is told while they are made. */
  readonly doing: string;
}

/** What is here is not asked about: the daemon says when it is not. */
export async function pullAndMake(
  context: Context,
  params: RpcParams<"VM.Run">,
  { count, pull, doing }: MakeOptions,
): Promise<readonly VmInfo[]> {
  const images = [params.image, ...(params.roms ?? []).map(({ image }) => image)].flatMap(urlOf);
  const known = withoutPull(params);
  const make = () => withSpinner(context.out, doing, () => makeInstances(context, known, count));
  const pullAll = async (): Promise<void> => {
    for (const reference of images) {
      await pullImage(context, { reference, policy: pull }).catch((error: unknown) => {
        throw withPathHint(error, reference);
      });
    }
  };
  if (pull === "always") await pullAll();
  try {
    return await make();
  } catch (error) {
    const isMissing = error instanceof UniError && error.code === "image_not_found";
    if (!isMissing || pull !== "if_not_present" || images.length === 0) throw error;
  }
  await pullAll();
  return make();
}

const urlOf = (image: ImageReference | undefined): string[] =>
  image === undefined ? [] : [typeof image === "string" ? image : image.url];

function withoutPull(params: RpcParams<"VM.Run">): RpcParams<"VM.Run"> {
  const { roms } = params;
  return {
    ...params,
    ...(params.image === undefined ? {} : { pull_policy: "never" }),
    ...(roms === undefined
      ? {}
      : {
          roms: roms.map(({ image, ...rom }) =>
            image === undefined
              ? rom
              : { ...rom, image: { url: urlOf(image)[0] ?? "", pull_policy: "never" } },
          ),
        }),
  };
}
