-- @pre
create table public.people(id int primary key, name text, email varchar(40), ssn char(11), phone varchar(8), note text, raw bytea, n int); insert into people values (1,'Anne','anne@x.org','123-45-6789','555-0100','a long note about žluť 😀 and more','\x0102030405',7),(2,null,null,null,null,null,null,null);
create table public.nokey(a text, b text not null); create unique index nokey_b on nokey(b); alter table nokey replica identity full; insert into nokey values ('x','1');
-- @stream
insert into people values (11,'Bob','bob@x.org','987-65-4321','555-0199','short','\x01',8); update people set note='žluťoučký kůň 😀😀' where id=11; delete from people where id=1;
insert into nokey values ('y','2'); update nokey set a='z' where b='2';
