-- @pre
create schema s2; create table public.a(id int primary key, v text); create table s2.b(id int primary key); insert into a values (1,'x'); insert into s2.b values (1);
-- @stream
begin; insert into a values (2,'y'); insert into s2.b values (2); commit; update a set id=3 where id=2; delete from a where id=1; select pg_logical_emit_message(true,'p','c');
