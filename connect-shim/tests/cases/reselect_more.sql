-- @pre
create table public.a(id int primary key, t text, n int, d text default 'x', m jsonb); alter table a alter t set storage external, alter m set storage external; create table public.nk(t text, n int); create table public.c2(a int, b text, t text, n int, primary key (a,b)); alter table c2 alter t set storage external; insert into a values (1,repeat('t',3000),null,null,('"'||repeat('j',3000)||'"')::jsonb); insert into c2 values (1,'it''s',repeat('c',3000),1);
-- @stream
begin; update a set n=5 where id=1; update a set n=null where id=1; insert into nk values ('a',null); update c2 set n=2; update a set id=2 where id=1; delete from a where id=2; commit;
