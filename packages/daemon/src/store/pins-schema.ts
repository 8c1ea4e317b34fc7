export interface PinsTables {
  image_pins: {
    uuid: string;
    account: string;
    url: string;
    /** Null until the image is here. */
    digest: string | null;
    created_at: number;
    /** 0: for good. */
    idle_ms: number;
    used_at: number;
  };
  /** References that a pull made: what they lead to can be had again. */
  pulled_references: { reference: string; digest: string; used_at: number };
}
