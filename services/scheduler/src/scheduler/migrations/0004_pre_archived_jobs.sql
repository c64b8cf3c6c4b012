-- Jobs that are out of the way: not listed unless they are asked for.
alter table jobs add column archived boolean not null default false;
-- A job that is renamed, or moved to another experiment, takes its runs along.
create index runs_by_job on runs (workspace, job);
