-- Experiments, their runs with params, tags and metrics, the models that runs log, and the artifacts of both. What people track by
-- an MLflow client lies here beside what jobs do: a step is a run, and so is a pipeline.

create sequence experiment_ids;

create table experiments (
    workspace  text        not null,
    id         bigint      not null default nextval('experiment_ids'),  -- 0 is the workspace's `Default`
    name       text        not null,
    location   text,                                                     -- where its runs' artifacts go, if not here
    tags       jsonb       not null default '{}',
    deleted_at timestamptz,
    created_by text        not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (workspace, id),
    unique (workspace, name)
);

create table runs (
    position   bigint generated always as identity unique,
    workspace  text        not null,
    id         text        not null,
    experiment bigint      not null,
    name       text        not null,
    status     text        not null check (status in ('scheduled', 'running', 'finished', 'failed', 'killed')),
    job        text,
    artifacts  text        not null,
    params     jsonb       not null default '{}',
    tags       jsonb       not null default '{}',
    deleted_at timestamptz,
    created_by text        not null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at   timestamptz,
    primary key (workspace, id),
    foreign key (workspace, experiment) references experiments (workspace, id)
);
create index runs_newest on runs (workspace, experiment, started_at desc, position desc);
create index runs_by_tag on runs using gin (tags jsonb_path_ops);
create index runs_by_param on runs using gin (params jsonb_path_ops);

-- Every point of every metric. `run` is a run's position; a run's row is never removed, so no foreign key is checked for each point.
-- The key makes a batch that is sent twice count once.
create table metrics (
    run            bigint           not null,
    key            text             not null,
    timestamp      bigint           not null,  -- milliseconds since 1970, as the client says
    step           bigint           not null,
    value          double precision not null,
    model          text,
    dataset_name   text,
    dataset_digest text,
    primary key (run, key, timestamp, step, value)
);
create index metrics_of_models on metrics (model, key) where model is not null;

create table latest_metrics (
    run            bigint           not null,
    key            text             not null,
    timestamp      bigint           not null,
    step           bigint           not null,
    value          double precision not null,
    model          text,
    dataset_name   text,
    dataset_digest text,
    primary key (run, key)
);

create table run_datasets (
    run         bigint not null,
    name        text   not null,
    digest      text   not null,
    source_type text   not null,
    source      text   not null,
    schema      text,
    profile     text,
    tags        jsonb  not null,
    primary key (run, name, digest)
);

create table run_models (
    run    bigint not null,
    role   text   not null check (role in ('input', 'output')),
    model  text   not null,
    step   bigint not null default 0,
    primary key (run, role, model)
);

create table logged_models (
    position   bigint generated always as identity unique,
    workspace  text        not null,
    id         text        not null,
    experiment bigint      not null,
    name       text        not null,
    type       text,
    status     text        not null default 'pending' check (status in ('pending', 'ready', 'failed')),
    run        text,
    artifacts  text        not null,
    params     jsonb       not null default '{}',
    tags       jsonb       not null default '{}',
    deleted_at timestamptz,
    created_by text        not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (workspace, id),
    foreign key (workspace, experiment) references experiments (workspace, id)
);
create index logged_models_newest on logged_models (workspace, experiment, position desc);

-- Names of files; the bytes are blobs. In byte order, so that what lies under a folder is one range of the key.
create table artifacts (
    workspace  text        not null,
    path       text        collate "C" not null,
    sha256     text        not null,
    size       bigint      not null,
    parts      text[]      not null default '{}',
    created_by text        not null,
    created_at timestamptz not null default now(),
    primary key (workspace, path)
);

-- What a condition or an order of a search means. Values are jsonb, which compares numbers as numbers and text as text.
create function milliseconds(t timestamptz) returns bigint language sql immutable as $$
    select (extract(epoch from t) * 1000)::bigint
$$;

create function compares(actual jsonb, op text, wanted jsonb) returns boolean language sql immutable as $$
    select case op
        when '=' then actual = wanted
        when '!=' then actual <> wanted
        when '<' then actual < wanted
        when '<=' then actual <= wanted
        when '>' then actual > wanted
        when '>=' then actual >= wanted
        when 'like' then actual #>> '{}' like (wanted #>> '{}') escape ''
        when 'ilike' then actual #>> '{}' ilike (wanted #>> '{}') escape ''
        when 'in' then wanted @> actual
        when 'not in' then not wanted @> actual
        when 'is null' then actual is null
        when 'is not null' then actual is not null
    end
$$;

create function value_of(e experiments, field text, key text) returns jsonb language sql stable as $$
    select case field
        when 'tag' then e.tags -> key
        when 'attribute' then case key
            when 'id' then to_jsonb(e.id::text)
            when 'name' then to_jsonb(e.name)
            when 'created_at' then to_jsonb(milliseconds(e.created_at))
            when 'updated_at' then to_jsonb(milliseconds(e.updated_at))
        end
    end
$$;

create function value_of(r runs, field text, key text) returns jsonb language sql stable as $$
    select case field
        when 'tag' then r.tags -> key
        when 'param' then r.params -> key
        when 'metric' then (select to_jsonb(nullif(m.value, 'NaN')) from latest_metrics m where m.run = r.position and m.key = $3)
        when 'attribute' then case key
            when 'id' then to_jsonb(r.id)
            when 'name' then to_jsonb(r.name)
            when 'status' then to_jsonb(r.status)
            when 'experiment' then to_jsonb(r.experiment::text)
            when 'artifacts' then to_jsonb(r.artifacts)
            when 'created_by' then to_jsonb(r.created_by)
            when 'started_at' then to_jsonb(milliseconds(r.started_at))
            when 'ended_at' then to_jsonb(milliseconds(r.ended_at))
        end
    end
$$;

create function value_of(m logged_models, field text, key text) returns jsonb language sql stable as $$
    select case field
        when 'tag' then m.tags -> key
        when 'param' then m.params -> key
        when 'metric' then (
            select to_jsonb(nullif(p.value, 'NaN')) from metrics p where p.model = m.id and p.key = $3
            order by p.step desc, p.timestamp desc, p.value desc limit 1
        )
        when 'attribute' then case key
            when 'id' then to_jsonb(m.id)
            when 'name' then to_jsonb(m.name)
            when 'type' then to_jsonb(m.type)
            when 'status' then to_jsonb(m.status)
            when 'run' then to_jsonb(m.run)
            when 'created_at' then to_jsonb(milliseconds(m.created_at))
            when 'updated_at' then to_jsonb(milliseconds(m.updated_at))
        end
    end
$$;

-- Jobs that were there before their experiments were kept.
insert into experiments (workspace, id, name, created_by)
select workspace, case when name = 'Default' then 0 else nextval('experiment_ids') end, name, 'service:scheduler'
from (select workspace, coalesce(experiment, 'Default') as name from jobs group by 1, 2) known;
