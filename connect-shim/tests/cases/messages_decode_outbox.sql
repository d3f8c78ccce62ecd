-- @pre
create table public.lm(id int primary key);
-- @stream
select pg_logical_emit_message(true,'outbox','{"id": "1", "aggregatetype": "order", "aggregateid": "7", "type": "T", "payload": {"a": 1}}'); insert into lm values (1);
