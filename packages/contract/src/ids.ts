declare const brand: unique symbol;
type Brand<T extends string> = string & { readonly [brand]: T };

export type InstanceId = Brand<"instance">;
export type AccountId = Brand<"account">;
export type ServiceGroupId = Brand<"service group">;
export type CertificateId = Brand<"certificate">;
/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Brand<"digest">;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

export const isUuid = (text: string): boolean => uuidPattern.test(text);
export const isDigest = (text: string): text is Digest => digestPattern.test(text);
export const asInstanceId = (text: string): InstanceId => text as InstanceId;
export const asAccountId = (text: string): AccountId => text as AccountId;
export const asServiceGroupId = (text: string): ServiceGroupId => text as ServiceGroupId;
export const asCertificateId = (text: string): CertificateId => text as CertificateId;
