-- Receivers of OpenLineage run events.

alter table subscriptions drop constraint subscriptions_type_check;
alter table subscriptions add constraint subscriptions_type_check check (type in ('webhook', 'chat', 'openlineage'));
