/** Tables of the image catalogue. */
// biome-ignore lint/complexity/noBannedTypes: filled together with the migration that makes the tables.
export type ImagesTables = {};
