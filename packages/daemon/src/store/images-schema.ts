/** Tables of the image catalogue and of the repositories that images are in. */
export interface ImagesTables {
  images: {
    digest: string;
    created_at: number;
    size_bytes: number;
    root: string;
    config: string;
    blobs: string;
    missing: string;
  };
  /** `digest` is null until there is an image of the target. */
  image_references: { reference: string; target: string; digest: string | null };
  manifests: {
    digest: string;
    media_type: string;
    size_bytes: number;
    /** Empty: none. */
    artifact_type: string;
    subject: string | null;
    annotations: string;
    /** Why no image could be made of it. */
    failure: string | null;
  };
  /** What of a manifest or index is in the store: never what it only claims, for this is what gives access. */
  manifest_names: { manifest: string; digest: string };
  /** Who may have a blob's bytes, having had them before: accounts, and "*" for everybody. */
  blob_holders: { digest: string; holder: string; since: number };
  repository_contents: { repository: string; kind: string; digest: string; since: number };
}
