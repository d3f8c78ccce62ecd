-- @pre
create table public.a(id int primary key, x text, y int); create table public.b(id int, k int, x text, primary key(id,k)); insert into a values (1,'x',1); insert into b values (1,1,'x');
-- @stream
insert into a values (2,'z',2); update a set x='y' where id=1; update a set id=5 where id=1; delete from a where id=2; insert into b values (2,2,'x'); delete from b where id=1;
