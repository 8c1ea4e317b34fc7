/** Tables of the image catalogue. */
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
  image_references: { reference: string; digest: string };
}
