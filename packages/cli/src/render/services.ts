import type { ServiceGroup } from "@uni/contract/resources/service-group";

/** As `-p` takes them: 443:8080/http+tls. */
export const servicesText = (services: ServiceGroup["services"] = []): string =>
  services
    .map(({ port, destination_port = port, handlers = [] }) => {
      return `${port}:${destination_port}${handlers.length === 0 ? "" : `/${handlers.join("+")}`}`;
    })
    .join(" ");

/** Each with its certificate's state, where it has one of its own. */
export const domainsText = (domains: ServiceGroup["domains"] = []): string =>
  domains
    .map(({ fqdn, certificate }) => {
      return certificate === undefined ? fqdn : `${fqdn} (${certificate.name}: ${certificate.state})`;
    })
    .join(" ");
