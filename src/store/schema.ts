import type { Generated } from 'kysely';

/** The tables. Times are milliseconds since the epoch; `*_json` columns hold canonical JSON; flags are 0 or 1. */
export interface Schema {
  meta: { key: string; value: string };

  principals: {
    id: string;
    kind: string;
    display_name: string;
    enabled: number;
    sponsor_id: string | null;
    sign_in_name: string | null;
    created_at: number;
    /** Custom security attributes by `{set}_{attribute}`. */
    security_attributes_json: string;
  };
  /** Local accounts; `password` is `scrypt$N$r$p$salt$hash`, null until one is set. */
  users: { principal_id: string; user_principal_name: string; password: string | null; mail: string | null };
  group_members: { group_id: string; member_id: string };
  applications: {
    principal_id: string;
    app_id: string;
    redirect_uris_json: string;
    public_client: number;
    access_token_seconds: number | null;
  };
  application_credentials: {
    id: string;
    principal_id: string;
    kind: 'secret' | 'certificate';
    /** scrypt of a secret; the certificate in PEM. */
    verifier: string;
    hint: string;
    /** SHA-1 and SHA-256 thumbprints, base64url, of a certificate. */
    thumbprint_sha1: string | null;
    thumbprint_sha256: string | null;
    created_at: number;
    expires_at: number | null;
  };
  managed_identities: { principal_id: string; client_id: string; resource_id: string };
  federated_credentials: {
    id: string;
    principal_id: string;
    name: string;
    description: string;
    issuer: string;
    audience: string;
    /** FederatedMatch of identity/federation. */
    match_json: string;
    assertion_use: 'once' | 'reusable';
    created_at: number;
  };
  /** Assertions that may not be used again: SHA-256 of issuer and jti (or of the whole token). */
  used_assertions: { digest: string; expires_at: number };

  signing_keys: {
    kid: string;
    algorithm: string;
    public_jwk_json: string;
    /** Sealed private JWK. */
    private_jwk_sealed: string;
    created_at: number;
    /** When it starts to sign. */
    active_from: number;
    /** When it stops to sign; it stays published until `published_until`. */
    active_until: number;
    published_until: number;
  };

  sessions: {
    id: string;
    principal_id: string;
    created_at: number;
    expires_at: number;
    ended_at: number | null;
    end_reason: string | null;
    amr_json: string;
    source_address: string | null;
    user_agent: string | null;
    /** When it was last used, to the minute or so; null before the first note of it. */
    last_seen_at: number | null;
  };
  signin_throttle: { key: string; failures: number; window_started_at: number; locked_until: number };
  one_time_links: { digest: string; principal_id: string; expires_at: number; used_at: number | null };
  /** Persistence of oidc-provider: one row per artifact, keyed by model and id. */
  oidc_artifacts: {
    model: string;
    id: string;
    payload_json: string;
    grant_id: string | null;
    user_code: string | null;
    uid: string | null;
    consumed_at: number | null;
    expires_at: number | null;
  };
  revoked_tokens: { token_id: string; principal_id: string; expires_at: number };

  leases: {
    id: string;
    job_id: string;
    job_scope: string;
    owner_id: string;
    submitter_id: string;
    chain_json: string;
    state: 'queued' | 'running' | 'ended';
    /** SHA-256 of the secret that the runner's side presents; replaced when the job starts. */
    secret_digest: string;
    created_at: number;
    started_at: number | null;
    ended_at: number | null;
    end_reason: string | null;
    last_seen_at: number | null;
  };

  role_definitions: {
    id: string;
    role_name: string;
    description: string;
    type: 'BuiltInRole' | 'CustomRole';
    permissions_json: string;
    assignable_scopes_json: string;
    created_at: number;
    updated_at: number;
    written_scopes_json: string | null;
    created_by: string;
    updated_by: string;
  };
  role_assignments: {
    id: string;
    scope: string;
    role_definition_id: string;
    principal_id: string;
    principal_type: string;
    description: string;
    created_on: string;
    created_by: string;
    condition: string | null;
    written_scope: string | null;
    updated_on: string | null;
    updated_by: string | null;
  };
  deny_assignments: {
    id: string;
    name: string;
    description: string;
    scope: string;
    permissions_json: string;
    do_not_apply_to_child_scopes: number;
    principals_json: string;
    exclude_principals_json: string;
    condition: string | null;
  };
  /** Management groups, and the subscriptions that are beneath one. Scopes in normal form. */
  scope_placements: { scope: string; parent: string | null; display_name: string; created_at: number };

  /** Every Azure-shaped resource: workspaces, datastores, assets and their versions, environments, jobs. */
  resources: {
    /** Normal form: lower case. */
    id: string;
    /** As it was first written. */
    display_id: string;
    type: string;
    parent_id: string;
    name: string;
    properties_json: string;
    tags_json: string;
    location: string | null;
    etag: string;
    created_at: number;
    created_by_json: string;
    updated_at: number;
    updated_by_json: string;
  };
  jobs: {
    /** Object id of the job's principal. */
    id: string;
    resource_id: string;
    name: string;
    compute: string;
    status: string;
    lease_id: string;
    directory: string;
    pid: number | null;
    /** What the operating system says of when that process started: tells a reused pid apart. */
    process_started: string | null;
    exit_code: number | null;
    error_json: string | null;
    created_at: number;
    started_at: number | null;
    ended_at: number | null;
  };

  blob_containers: { account: string; name: string; etag: string; created_at: number; metadata_json: string };
  blobs: {
    account: string;
    container: string;
    name: string;
    /** Name of the content file; random, never derived from the blob's name. */
    file: string;
    size: number;
    etag: string;
    md5: string | null;
    sha256: string | null;
    /** Content-Type, -Encoding, -Language, -Disposition and Cache-Control as given. */
    content_headers_json: string;
    metadata_json: string;
    /** Committed blocks in order: [[id, size], …]; empty for a single put. */
    blocks_json: string;
    created_at: number;
    updated_at: number;
  };
  blob_blocks: {
    account: string;
    container: string;
    blob: string;
    block_id: string;
    file: string;
    size: number;
    created_at: number;
  };

  /** The ledger's own rows: the change feed. Appended only. */
  ledger_events: {
    sequence: Generated<number>;
    event_id: string;
    /** Milliseconds since the epoch. */
    time: number;
    class_uid: number;
    decision_id: string | null;
    job_id: string | null;
    principal_id: string | null;
    /** The canonical JSON that is the log's entry, UTF-8. */
    entry: Uint8Array;
    /** Of a change: sequence of the change before it, 0 for the first. Null for what changes nothing. */
    previous_change: number | null;
    /** The personal values that the entry binds, closed under the keys of those whom they tell of; null for none. */
    sealed: Uint8Array | null;
  };
  /** What people have asked for. Open while `closed_at` is null; closed: the reason is empty. */
  access_requests: {
    id: string;
    principal_id: string;
    role_definition_id: string;
    scope: string;
    action: string;
    data_action: number;
    decision_id: string;
    reason: string;
    created_at: number;
    expires_at: number;
    closed_at: number | null;
  };
  /** Keys of personal values, one or more for each subject. Erased: the secret is zeros, the subject empty. */
  personal_keys: {
    id: Generated<number>;
    name: string;
    subject: string;
    secret: Uint8Array;
    /** Milliseconds since the epoch. */
    erased_at: number | null;
  };
  /** Runs of rows that follow one another in the feed and, from `first_leaf` on, in the tree. */
  ledger_runs: { first_leaf: number; first_sequence: number; last_sequence: number };
  /** Every key of the log that there is or was, the first one first. What they are is public. */
  ledger_keys: {
    /** In C2SP's form. */
    verifier_key: string;
    position: number;
    announced_at: number;
    /** Null while it does not sign yet. */
    began_at: number | null;
    /** How long it and the key before it both sign. */
    overlap_milliseconds: number;
    /** When it is to stop; null while no other takes its place. */
    ends_at: number | null;
    ended_at: number | null;
    /** When what its private half lay in was overwritten. */
    erased_at: number | null;
    /** The signed note in which the key before it and it name each other; null for the first. */
    vouched: string | null;
  };
  /** Private halves, sealed; removed when the key has signed for the last time. */
  ledger_key_secrets: { verifier_key: string; sealed: string };
  /** One row: who may sequence and publish. Of each epoch one holder only; `until` in milliseconds since the epoch. */
  ledger_lease: { id: number; holder: string; epoch: number; until: number };
  /** A view: the rows with their places in the tree, null until the sequencer has given them one. */
  placed_events: Schema['ledger_events'] & { leaf_index: number | null };
  /** The search index, made from the rows of the feed and able to be made again. One row: its salt. */
  ledger_search: { id: number; salt: Uint8Array };
  /** Runs of sequence numbers that are indexed whole; `times` holds the earliest and latest second of each part. */
  ledger_segments: {
    segment: number;
    first_time: number;
    last_time: number;
    events: number;
    times: Uint8Array;
  };
  /** Where in a segment a word occurs; the id is segment × 2^32 + the word's key. */
  ledger_postings: { id: number; places: Uint8Array };
  /** The same for many words that occur a few times; the id is segment × 128 + the first seven bits of the keys. */
  ledger_rare_postings: { id: number; places: Uint8Array };
  /** One row: the newest head that the sequencer has decided on. Written before a checkpoint is signed. */
  ledger_head: { id: number; size: number; root: string; published_size: number; updated_at: number };
}
