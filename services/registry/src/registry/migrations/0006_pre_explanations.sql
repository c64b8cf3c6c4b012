-- What a job found out about why a model version predicts what it predicts: the newest of each version.

create table explanations (
    version_id bigint      primary key references versions (id) on delete cascade,
    job        text        not null,
    tree       text        not null,
    created_at timestamptz not null default now()
);
