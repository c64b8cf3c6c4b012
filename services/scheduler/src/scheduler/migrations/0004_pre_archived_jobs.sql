-- Jobs that are out of the way: not listed unless they are asked for.
alter table jobs add column archived boolean not null default false;
