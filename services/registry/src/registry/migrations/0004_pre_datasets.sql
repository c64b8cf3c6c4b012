-- What was there when data that stays outside was registered: its address, and its digest or ETag.
alter table versions add column external jsonb;
