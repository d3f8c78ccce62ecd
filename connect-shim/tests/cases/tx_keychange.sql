-- @pre
create table public.a(id int primary key, v text); create table public.b(id int primary key, v text); alter table b replica identity full; insert into a values (1,'x'),(2,'y'); insert into b values (1,'x');
-- @stream
begin; update a set id=10 where id=1; insert into b values (2,'z'); update b set v='z' where id=2; update b set v='w' where id=1; update b set id=5 where id=1; delete from a where id=2; commit; begin; update b set v=v; commit;
