/** Service groups and certificates: their part of the operations table. */
import Type, { type TObject, type TSchema } from "typebox";
import type { HttpMethod, Operation } from "./operations.ts";
import { detailsMember, listMembers } from "./queries.ts";
import {
  Certificate,
  CreateCertificateRequest,
  DeletedCertificate,
  UpdateCertificateBody,
  UpdateCertificatesItem,
} from "./resources/certificate.ts";
import { bulk } from "./resources/instance-requests.ts";
import { NameOrUuid } from "./resources/reference.ts";
import {
  CreateServiceGroupRequest,
  DeletedServiceGroup,
  ServiceGroup,
  UpdatedServiceGroup,
  UpdateServiceGroupBody,
  UpdateServiceGroupsItem,
} from "./resources/service-group.ts";
import { request } from "./schema.ts";

export const PageQuery = request(listMembers);
const DetailsQuery = request({ details: Type.Optional(detailsMember) });
const noQuery = request({});

type About = readonly [method: HttpMethod, path: string, summary: string];

function operation<const Key extends string>(
  [method, path, summary]: About,
  dataKey: Key,
  item: TSchema,
  { query = noQuery, body, bodyRequired = false }: Partial<Operation> & { query?: TObject },
) {
  return {
    method,
    path,
    summary,
    query,
    bodyRequired,
    dataKey,
    item,
    ...(body === undefined ? {} : { body }),
  };
}

const groups = "/v1/services";
const oneGroup = "/v1/services/{uuid}";
const certificates = "/v1/certificates";
const oneCertificate = "/v1/certificates/{uuid}";
const groupKey = "service_groups";

export const serviceOperations = {
  createServiceGroup: operation(["POST", groups, "Create a service group"], groupKey, ServiceGroup, {
    body: CreateServiceGroupRequest,
    bodyRequired: true,
  }),
  getServiceGroups: operation(
    ["GET", groups, "List service groups, or look some up"],
    groupKey,
    ServiceGroup,
    {
      query: PageQuery,
      body: bulk(NameOrUuid),
    },
  ),
  updateServiceGroups: operation(["PATCH", groups, "Change properties"], groupKey, UpdatedServiceGroup, {
    body: bulk(UpdateServiceGroupsItem),
    bodyRequired: true,
  }),
  deleteServiceGroups: operation(["DELETE", groups, "Delete"], groupKey, DeletedServiceGroup, {
    body: bulk(NameOrUuid),
    bodyRequired: true,
  }),
  getServiceGroupByUuid: operation(["GET", oneGroup, "One service group"], groupKey, ServiceGroup, {
    query: DetailsQuery,
  }),
  updateServiceGroupByUuid: operation(
    ["PATCH", oneGroup, "Change a property"],
    groupKey,
    UpdatedServiceGroup,
    {
      body: UpdateServiceGroupBody,
      bodyRequired: true,
    },
  ),
  deleteServiceGroupByUuid: operation(["DELETE", oneGroup, "Delete"], groupKey, DeletedServiceGroup, {}),

  createCertificate: operation(["POST", certificates, "Upload a certificate"], "certificates", Certificate, {
    body: CreateCertificateRequest,
    bodyRequired: true,
  }),
  getCertificates: operation(
    ["GET", certificates, "List certificates, or look some up"],
    "certificates",
    Certificate,
    { query: PageQuery, body: bulk(NameOrUuid) },
  ),
  updateCertificates: {
    ...operation(["PUT", certificates, "Replace chain and key"], "certificates", Certificate, {
      body: bulk(UpdateCertificatesItem),
      bodyRequired: true,
    }),
    olderMethod: "PATCH",
  },
  deleteCertificates: operation(["DELETE", certificates, "Delete"], "certificates", DeletedCertificate, {
    body: bulk(NameOrUuid),
    bodyRequired: true,
  }),
  getCertificateByUuid: operation(["GET", oneCertificate, "One certificate"], "certificates", Certificate, {
    query: DetailsQuery,
  }),
  updateCertificateByUuid: {
    ...operation(["PUT", oneCertificate, "Replace chain and key"], "certificates", Certificate, {
      body: UpdateCertificateBody,
      bodyRequired: true,
    }),
    olderMethod: "PATCH",
  },
  deleteCertificateByUuid: operation(
    ["DELETE", oneCertificate, "Delete"],
    "certificates",
    DeletedCertificate,
    {},
  ),
} as const satisfies Record<string, Operation>;
