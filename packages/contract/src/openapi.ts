/** The OpenAPI 3.1 document, generated from the operations table. */
import type { TSchema } from "typebox";
import { envelopeMembers, ResponseError } from "./envelope.ts";
import { type Operation, operations } from "./operations.ts";
import { Certificate, CreateCertificateRequest } from "./resources/certificate.ts";
import { Image } from "./resources/image.ts";
import { ImageSpec } from "./resources/image-spec.ts";
import { CreateInstanceRequest, Instance } from "./resources/instance.ts";
import { HealthzData, Metro, Quotas } from "./resources/node.ts";
import { PortMapping } from "./resources/port-mapping.ts";
import { NameOrUuid } from "./resources/reference.ts";
import { CreateServiceGroupRequest, ServiceGroup } from "./resources/service-group.ts";
import { Service, ServiceDomain } from "./resources/service-parts.ts";

const named: ReadonlyMap<TSchema, string> = new Map<TSchema, string>([
  [Instance, "Instance"],
  [CreateInstanceRequest, "CreateInstanceRequest"],
  [NameOrUuid, "NameOrUUID"],
  [Image, "Image"],
  [Quotas, "Quotas"],
  [Metro, "Metro"],
  [HealthzData, "HealthzResponseData"],
  [ResponseError, "ResponseError"],
  [PortMapping, "PortMapping"],
  [ImageSpec, "ImageSpec"],
  [ServiceGroup, "ServiceGroup"],
  [CreateServiceGroupRequest, "CreateServiceGroupRequest"],
  [Service, "Service"],
  [ServiceDomain, "ServiceDomain"],
  [Certificate, "Certificate"],
  [CreateCertificateRequest, "CreateCertificateRequest"],
]);

export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, operation] of Object.entries(operations) as [string, Operation][]) {
    const path = paths[operation.path] ?? {};
    path[operation.method.toLowerCase()] = describe(id, operation);
    paths[operation.path] = path;
  }
  const schemas = Object.fromEntries([...named].map(([schema, name]) => [name, expand(schema, true)]));
  return {
    openapi: "3.1.0",
    info: {
      title: "Uni",
      version: "1",
      description:
        "The Unikraft Cloud v1 API as Uni serves it. Members whose description begins with 'Uni:' are additions.",
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas,
      responses: { Refused: refused() },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function refused(): Record<string, unknown> {
  const schema = { type: "object", ...objectOf(envelopeMembers) };
  return { description: "The whole request was refused", content: { "application/json": { schema } } };
}

function describe(id: string, operation: Operation): Record<string, unknown> {
  const tag = operation.path.split("/")[2] ?? "";
  return {
    operationId: id,
    summary: operation.summary,
    tags: [tag],
    ...(operation.public ? { security: [{}] } : {}),
    parameters: parameters(operation),
    ...(operation.body === undefined
      ? {}
      : {
          requestBody: {
            required: operation.bodyRequired,
            content: { "application/json": { schema: expand(operation.body) } },
          },
        }),
    responses: {
      "200": {
        description: "Done, or done in part: `status` tells, for the whole and for every item",
        content: { "application/json": { schema: envelopeSchema(operation) } },
      },
      default: { $ref: "#/components/responses/Refused" },
    },
  };
}

function parameters(operation: Operation): Record<string, unknown>[] {
  const inPath = [
    { name: "uuid", schema: { type: "string", format: "uuid" } },
    { name: "name", schema: { type: "string" } },
  ]
    .filter(({ name }) => operation.path.includes(`{${name}}`))
    .map(({ name, schema }) => ({ name, in: "path", required: true, schema }));
  const inQuery = Object.entries(operation.query.properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: expand(schema as TSchema),
  }));
  return [...inPath, ...inQuery];
}

function envelopeSchema(operation: Operation): Record<string, unknown> {
  const item = expand(operation.item);
  const data =
    operation.dataKey === ""
      ? item
      : { type: "object", properties: { [operation.dataKey]: { type: "array", items: item } } };
  return { type: "object", ...objectOf({ ...envelopeMembers }, { data }) };
}

function objectOf(members: Readonly<Record<string, TSchema>>, more: Record<string, unknown> = {}) {
  const properties = Object.fromEntries(
    Object.entries(members).map(([key, schema]) => [key, expand(schema)]),
  );
  return { required: ["status", "op_time_us"], properties: { ...properties, ...more } };
}

/** Plain JSON of a schema, with references where it has a name; TypeBox's own marks do not survive the copy. */
function expand(schema: TSchema, top = false): unknown {
  if (!top) {
    const name = named.get(schema);
    if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  }
  if (Array.isArray(schema)) return schema.map((item) => expand(item as TSchema));
  if (typeof schema !== "object" || schema === null) return schema;
  const { anyOf } = schema as { anyOf?: readonly { const?: unknown }[] };
  if (anyOf?.every((branch) => typeof branch.const === "string")) {
    const { anyOf: _, ...rest } = schema as { anyOf?: unknown };
    return { type: "string", enum: anyOf.map((branch) => branch.const), ...rest };
  }
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, expand(value as TSchema)]));
}
