-- @pre
create table public.su(id int primary key, a text, hidden text); alter table su replica identity full; insert into su values (1,'x','h');
-- @stream
update su set hidden='changed' where id=1; update su set a='y' where id=1; update su set a='y' where id=1; insert into su values (2,'n','h'); truncate su;
