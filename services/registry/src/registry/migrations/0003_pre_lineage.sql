-- Lineage: an edge says that `target` rests on `source`. What stands in them comes from `events` alone and can be built anew from there.

create table edges (
    workspace text        not null,
    source    text        not null,
    relation  text        not null,
    target    text        not null,
    since     timestamptz not null,
    until     timestamptz,
    event_id  uuid        not null,
    holder    text,
    sequence  bigint      not null
);
comment on column edges.holder is
    'null: the edge holds for ever. Else the subject whose next event of the same sort ends it, such as a deployment that gets another model.';

create unique index edges_for_ever on edges (workspace, target, source, relation) where holder is null;
create unique index edges_held on edges (workspace, holder, sequence, target, source, relation) where holder is not null;
create index edges_up on edges (workspace, target, since);
create index edges_down on edges (workspace, source, since);

-- What a node was at a time: the newest of these before it. The list is that of store/lineage.py.
create index events_by_state on events (workspace, subject, time) where type in (
    'model.registered', 'model.archived', 'model.deleted', 'data.registered', 'data.archived', 'data.deleted',
    'environment.registered', 'environment.archived', 'environment.deleted', 'environment.build_failed',
    'component.registered', 'component.archived', 'component.deleted',
    'job.submitted', 'job.started', 'job.completed', 'job.failed', 'job.canceled',
    'deployment.requested', 'deployment.ready', 'deployment.failed', 'deployment.degraded', 'deployment.deleted',
    'endpoint.created', 'endpoint.traffic_changed', 'endpoint.deleted',
    'monitor.updated', 'monitor.deleted', 'trigger.updated', 'trigger.deleted'
);

-- The audit log: by whom, about what, newest first.
create index events_newest on events (workspace, position);
create index events_by_actor on events (workspace, actor, position);
create index events_below_subject on events (workspace, subject text_pattern_ops, position);

-- What people say of a model version, beside what is known of it.
create table card_sections (
    workspace  text        not null,
    model      text        not null,
    version    text        not null,
    section    text        not null,
    text       text        not null,
    written_by text        not null,
    written_at timestamptz not null default now(),
    primary key (workspace, model, version, section)
);
