import type { Certificate } from "@uni/contract/resources/certificate";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { renderTable } from "../../render/table.ts";

const stateText = ({ state, validation }: Certificate): string =>
  validation === undefined || validation.attempt === 1 ? state : `${state}, try ${validation.attempt}`;

const advice = ({ name, validation, not_after }: Certificate): string =>
  validation === undefined
    ? `'${name}' ended${not_after === undefined ? "" : ` on ${not_after}`}. Replace it: uni certs update ${name}`
    : `'${name}' was not issued: ${validation.reason ?? "no reason given"} Next try: ${validation.next}, or uni certs renew ${name}`;

const usersOf = ({ service_groups = [] }: Certificate): string =>
  service_groups.map(({ name }) => name).join(" ") || "-";

export const certsLs: CommandModule = {
  examples: ["uni certs ls", "uni certs ls -o json"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const envelope = await client.operation("getCertificates", {}, { signal });
        const list = envelopeItems<Certificate>(envelope, "certificates", "listing certificates");
        await out.show(list, {
          text: () =>
            renderTable(
              list,
              [
                { title: "NAME", value: ({ name }) => name, shrinkTo: 12 },
                { title: "COMMON NAME", value: ({ common_name }) => common_name, shrinkTo: 16 },
                { title: "STATE", value: stateText },
                { title: "ENDS", value: ({ not_after = "-" }) => not_after.slice(0, "2026-01-31".length) },
                { title: "USED BY", value: usersOf, shrinkTo: 8 },
              ],
              { width: out.width },
            ),
          names: () => list.map(({ name }) => name),
        });
        for (const certificate of list.filter(({ state }) => state === "error"))
          out.note(advice(certificate));
      }),
    );
  },
};
