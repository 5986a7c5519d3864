import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** In order of name; a migration that has been released is never edited. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-walking-house': { up: (db: Kysely<unknown>) => run(db, walkingHouseStatements) },
  '0002-conditions-and-placements': { up: (db: Kysely<unknown>) => run(db, conditionStatements) },
  '0004-scopes-as-written': { up: (db: Kysely<unknown>) => run(db, writtenStatements) },
  '0005-links-between-changes': { up: (db: Kysely<unknown>) => run(db, changeLinkStatements) },
  '0006-runs-of-leaves': { up: (db: Kysely<unknown>) => run(db, leafRunStatements) },
  '0007-ledger-search': { up: (db: Kysely<unknown>) => run(db, searchStatements) },
  '0008-lease-of-the-sequencer': { up: (db: Kysely<unknown>) => run(db, leaseStatements) },
  '0010-keys-of-the-log': { up: (db: Kysely<unknown>) => run(db, logKeyStatements) },
  '0011-personal-values': { up: (db: Kysely<unknown>) => run(db, personalStatements) },
  '0012-requests-for-access': { up: (db: Kysely<unknown>) => run(db, accessRequestStatements) },
};

async function run(db: Kysely<unknown>, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const walkingHouseStatements = [
  `create table meta (key text primary key, value text not null) strict`,

  `create table principals (
    id text primary key, kind text not null, display_name text not null, enabled integer not null,
    sponsor_id text, sign_in_name text, created_at integer not null) strict`,
  `create unique index principals_sign_in_name on principals (kind, sign_in_name) where sign_in_name is not null`,
  `create table users (
    principal_id text primary key references principals (id) on delete cascade,
    user_principal_name text not null unique collate nocase, password text, mail text) strict`,
  `create table group_members (
    group_id text not null references principals (id) on delete cascade,
    member_id text not null references principals (id) on delete cascade,
    primary key (group_id, member_id)) strict`,
  `create index group_members_member on group_members (member_id)`,
  `create table applications (
    principal_id text primary key references principals (id) on delete cascade,
    app_id text not null unique, redirect_uris_json text not null, public_client integer not null,
    access_token_seconds integer) strict`,
  `create table application_credentials (
    id text primary key, principal_id text not null references principals (id) on delete cascade,
    kind text not null, verifier text not null, hint text not null,
    thumbprint_sha1 text, thumbprint_sha256 text, created_at integer not null, expires_at integer) strict`,
  `create index application_credentials_principal on application_credentials (principal_id)`,
  `create table managed_identities (
    principal_id text primary key references principals (id) on delete cascade,
    client_id text not null unique, resource_id text not null unique collate nocase) strict`,
  `create table federated_credentials (
    id text primary key, principal_id text not null references principals (id) on delete cascade,
    name text not null, description text not null, issuer text not null, audience text not null,
    match_json text not null, assertion_use text not null, created_at integer not null,
    unique (principal_id, name)) strict`,
  `create table used_assertions (digest text primary key, expires_at integer not null) strict`,

  `create table signing_keys (
    kid text primary key, algorithm text not null, public_jwk_json text not null, private_jwk_sealed text not null,
    created_at integer not null, active_from integer not null, active_until integer not null,
    published_until integer not null) strict`,

  `create table sessions (
    id text primary key, principal_id text not null, created_at integer not null, expires_at integer not null,
    ended_at integer, end_reason text, amr_json text not null, source_address text, user_agent text,
    last_seen_at integer) strict`,
  `create index sessions_principal on sessions (principal_id) where ended_at is null`,
  `create table signin_throttle (
    key text primary key, failures integer not null, window_started_at integer not null,
    locked_until integer not null) strict`,
  `create table one_time_links (
    digest text primary key, principal_id text not null, expires_at integer not null, used_at integer) strict`,
  `create table oidc_artifacts (
    model text not null, id text not null, payload_json text not null, grant_id text, user_code text, uid text,
    consumed_at integer, expires_at integer, primary key (model, id)) strict`,
  `create index oidc_artifacts_grant on oidc_artifacts (grant_id) where grant_id is not null`,
  `create index oidc_artifacts_uid on oidc_artifacts (uid) where uid is not null`,
  `create table revoked_tokens (
    token_id text primary key, principal_id text not null, expires_at integer not null) strict`,

  `create table leases (
    id text primary key, job_id text not null unique, job_scope text not null, owner_id text not null,
    submitter_id text not null, chain_json text not null, state text not null, secret_digest text not null,
    created_at integer not null, started_at integer, ended_at integer, end_reason text, last_seen_at integer) strict`,
  `create index leases_open on leases (state) where state <> 'ended'`,

  `create table role_definitions (
    id text primary key, role_name text not null, description text not null, type text not null,
    permissions_json text not null, assignable_scopes_json text not null,
    created_at integer not null, updated_at integer not null) strict`,
  `create table role_assignments (
    id text primary key, scope text not null, role_definition_id text not null, principal_id text not null,
    principal_type text not null, description text not null, created_on text not null, created_by text not null,
    unique (scope, role_definition_id, principal_id)) strict`,
  `create index role_assignments_principal on role_assignments (principal_id)`,
  `create table deny_assignments (
    id text primary key, name text not null, description text not null, scope text not null,
    permissions_json text not null, do_not_apply_to_child_scopes integer not null,
    principals_json text not null, exclude_principals_json text not null) strict`,

  `create table resources (
    id text primary key, display_id text not null, type text not null, parent_id text not null, name text not null,
    properties_json text not null, tags_json text not null, location text, etag text not null,
    created_at integer not null, created_by_json text not null,
    updated_at integer not null, updated_by_json text not null) strict`,
  `create index resources_parent on resources (parent_id, type, created_at)`,
  `create table jobs (
    id text primary key, resource_id text not null unique, name text not null, compute text not null,
    status text not null, lease_id text not null, directory text not null, pid integer, process_started text,
    exit_code integer, error_json text, created_at integer not null, started_at integer, ended_at integer) strict`,
  `create index jobs_status on jobs (status)`,

  `create table blob_containers (
    account text not null, name text not null, etag text not null, created_at integer not null,
    metadata_json text not null, primary key (account, name)) strict`,
  `create table blobs (
    account text not null, container text not null, name text not null, file text not null unique,
    size integer not null, etag text not null, md5 text, sha256 text, content_headers_json text not null,
    metadata_json text not null, blocks_json text not null, created_at integer not null, updated_at integer not null,
    primary key (account, container, name),
    foreign key (account, container) references blob_containers (account, name)) strict`,
  `create table blob_blocks (
    account text not null, container text not null, blob text not null, block_id text not null,
    file text not null unique, size integer not null, created_at integer not null,
    primary key (account, container, blob, block_id)) strict`,

  `create table ledger_events (
    sequence integer primary key autoincrement, event_id text not null unique, time integer not null,
    class_uid integer not null, decision_id text, job_id text, principal_id text,
    entry blob not null, leaf_index integer unique) strict`,
  `create index ledger_events_decision on ledger_events (decision_id) where decision_id is not null`,
  `create index ledger_events_job on ledger_events (job_id) where job_id is not null`,
  `create index ledger_events_unsequenced on ledger_events (sequence) where leaf_index is null`,
  `create table ledger_head (
    id integer primary key check (id = 1), size integer not null, root text not null,
    published_size integer not null, updated_at integer not null) strict`,
];

const conditionStatements = [
  `alter table role_assignments add column condition text`,
  `alter table deny_assignments add column condition text`,
  `alter table principals add column security_attributes_json text not null default '{}'`,
  `create table scope_placements (
    scope text primary key, parent text references scope_placements (scope), display_name text not null,
    created_at integer not null) strict`,
  `create index scope_placements_parent on scope_placements (parent)`,
];

const writtenStatements = [
  `alter table role_assignments add column written_scope text`,
  `alter table role_assignments add column updated_on text`,
  `alter table role_assignments add column updated_by text`,
  `alter table role_definitions add column written_scopes_json text`,
  `alter table role_definitions add column created_by text not null default ''`,
  `alter table role_definitions add column updated_by text not null default ''`,
];

const changeLinkStatements = [
  `alter table ledger_events add column previous_change integer`,
  `update ledger_events set previous_change = links.previous
    from (select sequence, lag(sequence, 1, 0) over (order by sequence) as previous from ledger_events
      where json_extract(cast(entry as text), '$.unmapped.lockstep.kind') = 'change') as links
    where links.sequence = ledger_events.sequence`,
  `create index ledger_events_changes on ledger_events (sequence) where previous_change is not null`,
];

/** Rows are written once: where they stand in the tree is said by runs of them. */
const leafRunStatements = [
  `create table ledger_runs (
    first_leaf integer primary key, first_sequence integer not null unique,
    last_sequence integer not null unique) strict`,
  `insert into ledger_runs (first_leaf, first_sequence, last_sequence)
    select min(leaf_index), min(sequence), max(sequence) from ledger_events
    where leaf_index is not null group by sequence - leaf_index`,
  `create table ledger_events_written_once (
    sequence integer primary key autoincrement, event_id text not null unique, time integer not null,
    class_uid integer not null, decision_id text, job_id text, principal_id text, entry blob not null,
    previous_change integer) strict`,
  `insert into ledger_events_written_once
    (sequence, event_id, time, class_uid, decision_id, job_id, principal_id, entry, previous_change)
    select sequence, event_id, time, class_uid, decision_id, job_id, principal_id, entry, previous_change
    from ledger_events order by sequence`,
  `update sqlite_sequence set seq = (select seq from sqlite_sequence where name = 'ledger_events')
    where name = 'ledger_events_written_once'`,
  `drop table ledger_events`,
  `alter table ledger_events_written_once rename to ledger_events`,
  `create index ledger_events_decision on ledger_events (decision_id) where decision_id is not null`,
  `create index ledger_events_job on ledger_events (job_id) where job_id is not null`,
  `create index ledger_events_changes on ledger_events (sequence) where previous_change is not null`,
  `create view placed_events as
    select ledger_events.*, (
      select first_leaf + sequence - first_sequence from ledger_runs
      where first_sequence <= sequence and last_sequence >= sequence order by first_sequence desc limit 1
    ) as leaf_index from ledger_events`,
];

const searchStatements = [
  `create table ledger_search (id integer primary key check (id = 1), salt blob not null) strict`,
  `insert into ledger_search (id, salt) values (1, randomblob(16))`,
  `create table ledger_segments (
    segment integer primary key, first_time integer not null, last_time integer not null, events integer not null,
    times blob not null) strict`,
  `create table ledger_postings (id integer primary key, places blob not null) strict`,
  `create table ledger_rare_postings (id integer primary key, places blob not null) strict`,
];

const leaseStatements = [
  `create table ledger_lease (
    id integer primary key check (id = 1), holder text not null, epoch integer not null,
    until integer not null) strict`,
];

/** What is secret has a table of its own, of a row or two, so that what is removed lies in one place to be overwritten. */
const logKeyStatements = [
  `create table ledger_keys (
    verifier_key text primary key, position integer not null unique, announced_at integer not null,
    began_at integer, overlap_milliseconds integer not null, ends_at integer, ended_at integer, erased_at integer,
    vouched text) strict`,
  `create table ledger_key_secrets (
    verifier_key text primary key references ledger_keys (verifier_key), sealed text not null) strict`,
];

/**
 * Rows of keys are never removed: one that is erased is overwritten where it stands. Entries of before hold their values
 * themselves and have nothing beside them.
 */
const personalStatements = [
  `alter table ledger_events add column sealed blob`,
  `create table personal_keys (
    id integer primary key autoincrement, name text not null unique, subject text not null, secret blob not null,
    erased_at integer) strict`,
  `create index personal_keys_subject on personal_keys (subject) where erased_at is null`,
];

/** Of those that are open there is one for each person, role and scope. */
const accessRequestStatements = [
  `create table access_requests (
    id text primary key, principal_id text not null, role_definition_id text not null, scope text not null,
    action text not null, data_action integer not null, decision_id text not null, reason text not null,
    created_at integer not null, expires_at integer not null, closed_at integer) strict`,
  `create unique index access_requests_open on access_requests (principal_id, role_definition_id, scope)
    where closed_at is null`,
  `create index access_requests_principal on access_requests (principal_id, created_at)`,
  `create index access_requests_newest on access_requests (created_at) where closed_at is null`,
];
