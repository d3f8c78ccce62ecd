-- @pre
create table public.v(id int primary key, iv int2vector, ov oidvector default '4 5', nn int2vector not null default '8 9', a int2vector[], b oidvector[]);
insert into v values (1, '1 2 3', '7 8', '9', '{"1 2","3"}', '{"4"}'), (2, '', '', '6', '{}', '{}'), (3, null, null, '5', null, null);
alter table v replica identity full;
-- @stream
insert into v values (4, '1 2', '3', '4 5', '{"1 2"}', '{"3 4"}'), (5, '', null, '7', null, null), (6, null, default, default, '{}', null);
update v set iv = '5' where id = 1; update v set nn = '1 2' where id = 2; delete from v where id = 4;
