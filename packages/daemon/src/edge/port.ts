/** The load balancer in front of service groups: what it is told, and what it answers. */
export interface EdgePlan {
  readonly groups: readonly EdgeGroup[];
  /** PEM file of what is shown to clients that ask for no name that is known. */
  readonly defaultCertificate: string;
  /** Validations of names by a certificate authority that are under way. */
  readonly challenges?: readonly EdgeChallenge[];
}

export type EdgeChallenge =
  /** Answered on port 80, whatever groups publish. */
  | { readonly kind: "http"; readonly fqdn: string; readonly token: string; readonly answer: string }
  /** The PEM file is shown on port 443 to whoever speaks `acme-tls/1`, and to nobody else. */
  | { readonly kind: "tls"; readonly fqdn: string; readonly certificate: string };

export interface EdgeGroup {
  /** UUID. */
  readonly id: string;
  readonly domains: readonly EdgeDomain[];
  readonly ports: readonly EdgePortRule[];
  /** Requests in flight per awake member before one that sleeps is used. */
  readonly softLimit: number;
  /** Requests in flight per member; what is beyond that for all of them together, over all ports, is refused. */
  readonly hardLimit: number;
  readonly members: readonly EdgeMember[];
  /** While it has none, requests wait for one to come. */
  readonly awaitsMembers?: boolean;
  /** See `noteGrowth`. */
  readonly tellsGrowth?: boolean;
}

export interface EdgeDomain {
  /** May begin with `*.`, which stands for exactly one label. */
  readonly fqdn: string;
  /** PEM file: chain and key. */
  readonly certificate: string;
}

export type EdgePortRule =
  | { readonly kind: "redirect"; readonly port: number; readonly toPort: number }
  | {
      readonly kind: "http" | "tcp";
      readonly port: number;
      readonly destinationPort: number;
      /** The edge ends TLS. */
      readonly tls: boolean;
      /** Members are told in the PROXY protocol, version 2, who has connected. */
      readonly proxy: boolean;
    };

export interface EdgeMember {
  readonly id: string;
  readonly address: string;
  /** In place of the rule's destination port. */
  readonly port?: number;
  /**
   * asleep: the next packet wakes it. starting: it may still refuse connections, and whoever wants one is patient.
   * draining: keeps what it has and gets nothing new.
   */
  readonly state: "awake" | "asleep" | "starting" | "draining";
}

export interface EdgeLoad {
  /** Requests, or connections where the edge does not look into them, that it has now. */
  readonly inFlight: number;
  /** That it got so far: grows, or begins anew with the load balancer. */
  readonly served: number;
}

export interface Edge {
  /**
   * Resolves once new connections go by the plan. A port that somebody else holds is left out and told in the answer, in
   * words. Calls take effect in the order they are made. It keeps serving when this daemon ends.
   */
  apply(plan: EdgePlan): Promise<readonly string[]>;
  /**
   * Member `id` is about to get the packets that were held for it, or has just got them: responses that they waited for say
   * so (`Server-Timing: wake`). Never fails: it is no reason to keep a member asleep.
   */
  noteWake(id: string): Promise<void>;
  /**
   * The group has grown to so many members of so many: responses to requests that it had before say so (`Autoscale-Info`), if
   * the plan wants that. Never fails.
   */
  noteGrowth(group: string, size: number, most: number): Promise<void>;
  /**
   * What each member of these groups has to do, as it is counted now; of one that is not listed nothing is known. What waits
   * for a group's first member is listed under the group's own id.
   */
  loads(groups: readonly string[]): Promise<ReadonlyMap<string, EdgeLoad>>;
  /** `port_in_use` naming the owner. */
  checkPorts(ports: readonly number[]): Promise<void>;
  /** Ends the supervision; the load balancer goes on. */
  release(): Promise<void>;
  /** Ends the load balancer. */
  remove(): Promise<void>;
}
