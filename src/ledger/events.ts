import type { JsonObject } from '../lib/canonical-json.ts';
import type { Attribution, Change, ChangeKind } from '../store/changes.ts';
import type { DecisionId, EventId } from '../lib/ids.ts';

/** What the pipeline records of an exchange. `change` facts are recorded through the Commit instead. */
export type RequestFact =
  /** Durable before a change is forwarded, and before any response head leaves. */
  | {
      readonly kind: 'request.decided';
      readonly attribution: Attribution;
      /** Surface (adapter) and operation, e.g. `blob`, `Microsoft.Storage/…/blobs/read`. */
      readonly surface: string;
      readonly operation: string;
      readonly effect: 'read' | 'change';
      readonly method: string;
      readonly path: string;
      readonly allowed: boolean;
      /** Cause kind of the decision: `role-assignment`, `missing-grant`, … */
      readonly reason: string;
      readonly decidedFor: string | null;
      readonly authorities: readonly string[];
      readonly action: string;
      readonly dataAction: boolean;
      readonly scope: string;
      /** What conditions could ask, by source and name, so that the decision can be made again. */
      readonly attributes: JsonObject;
      readonly subOperation: string | null;
      /** Whether it was decided for all that lies beneath the scope, too. */
      readonly subtree?: true;
      /** Present when scope or attributes are not recorded as they were decided on: cut, or escaped. */
      readonly altered?: true;
      readonly userAgent: string | null;
    }
  /** What a list could show, decided thing by thing and told together. Durable before the answer's head leaves. */
  | {
      readonly kind: 'request.listed';
      readonly attribution: Attribution;
      readonly surface: string;
      readonly operation: string;
      /** Where the list hangs. */
      readonly scope: string;
      /** By action: how many things were looked at, and how many of them the caller may see. */
      readonly asked: readonly {
        readonly action: string;
        readonly looked: number;
        readonly allowed: number;
      }[];
      /** Scopes of the first hundred that the caller may see. */
      readonly shown: readonly string[];
    }
  /** Appended when the exchange ends; not waited for. */
  | {
      readonly kind: 'request.ended';
      readonly attribution: Attribution;
      readonly surface: string;
      readonly operation: string;
      readonly effect: 'read' | 'change';
      readonly scope: string;
      readonly status: number;
      readonly requestBytes: number;
      readonly responseBytes: number;
      readonly durationMilliseconds: number;
      /** `completed`, `client-gone`, or why Lockstep cut it: `policy-changed`, `condition-ended`, `identity-ended`, `cut-by-operator`, … */
      readonly ending: string;
      /** Of one that was cut: who or what did it, where that is known. */
      readonly cutBy?: CutBy;
      /** Why the upstream was asked a second time: `connect`, `connect-timeout`, `closed`. */
      readonly sentAgain?: string;
      /** Of a WebSocket: messages each way, those of the client that were withheld, and the code that closed it (RFC 6455 §7.4). */
      readonly webSocket?: {
        readonly received: number;
        readonly sent: number;
        readonly withheld?: number;
        readonly closeCode: number;
      };
    }
  /** The same of many reads of one caller that came to their end within a moment. The ledger makes it; nobody else does. */
  | {
      readonly kind: 'requests.ended';
      /** What they have in common: of no single request, and under no single decision. */
      readonly attribution: Attribution;
      readonly surface: string;
      readonly operation: string;
      /** At which, or somewhere beneath which, each of them was. */
      readonly scope: string;
      /** When the first of them ended, milliseconds since the epoch. */
      readonly since: number;
      readonly outcomes: readonly Outcome[];
    }
  /** A sign-in, a token issued or refused; the end of a sign-in is a change. OCSF Authentication 3002. */
  | {
      readonly kind: 'authentication';
      readonly attribution: Attribution;
      readonly activity: 'sign-in' | 'token-issue' | 'token-renewal';
      readonly succeeded: boolean;
      /** Error code when it failed, else null. */
      readonly failureCode: string | null;
      readonly principalId: string | null;
      readonly principalName: string | null;
      readonly method: string;
      readonly audience: string | null;
      readonly tokenId: string | null;
      /** Of the token: seconds since the epoch. */
      readonly expiresAt: number | null;
      /** Facts without secrets: federated credential, issuer, presented claims that mattered. */
      readonly detail: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'lifecycle';
      readonly attribution: Attribution;
      /**
       * `prune`: old rows of the feed were removed, `prune-archive`: the log is about to forget its beginning; `detail` says up to which. `clock-set`: the clock is another than it was;
       * `detail` says by how much.
       */
      readonly activity: 'start' | 'stop' | 'prune' | 'prune-archive' | 'clock-set';
      readonly version: string;
      readonly detail: Readonly<Record<string, string>>;
    };

export type CutBy =
  /** Somebody asked for it: their object id, and the decision that let them. */
  | { readonly kind: 'operator'; readonly principalId: string; readonly decisionId: DecisionId }
  /** The first of a transaction's changes after which it could not go on, and the event that records it. */
  | { readonly kind: 'change'; readonly change: ChangeKind; readonly eventId: EventId };

/** How one of many reads ended: `completed`, as all that share a record have. */
export interface Outcome {
  readonly decisionId: string;
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMilliseconds: number;
}

export interface ChangeFact {
  readonly kind: 'change';
  readonly attribution: Attribution;
  readonly change: Change;
}

export type Fact = RequestFact | ChangeFact;

/** Records what happened where no state changes. Resolves with the event's id once it is durable. */
export type RecordFact = (fact: RequestFact) => Promise<EventId>;
