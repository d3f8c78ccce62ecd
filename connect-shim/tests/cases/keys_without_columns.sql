-- @pre
create table public.a(id int primary key, v text); create table public.b(id int, k text, v text, primary key (k, id)); insert into a values (1, 'x'), (2, null); insert into b values (1, 'k', 'x');
-- @stream
insert into a values (3, 'y'); update a set id = 4 where id = 3; update a set v = 'z' where id = 1; delete from a where id = 4; insert into b values (2, 'k', 'x'); delete from b where id = 1;
