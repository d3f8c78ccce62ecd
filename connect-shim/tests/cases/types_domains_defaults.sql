-- @pre
create type mood as enum ('sad','ok'); create type pair as (x int, y text); create domain posint as int check (value > 0); create domain money2 as numeric(12,2); create domain shorttext as varchar(8) not null; create domain stamp as timestamp(3); create domain tags as text[];
create table public.dom(id int primary key, d1 posint, d2 money2, d3 shorttext, d4 stamp, d5 tags, d6 mood, c pair, d7 numeric(12,2)[]);
insert into dom(id,d1,d2,d3,d4,d5,d6,c,d7) values (1,5,1.5,'abc','2024-01-01 10:00:00.123','{a,b}','ok','(1,x)','{1.5,2}'),(2,null,null,'x',null,null,null,null,null);
create table public.gen(id int primary key, g int generated always as (id * 2) stored, t time[], ds date[]); insert into gen(id,t,ds) values (1,'{10:00:00.123456,24:00,23:59:59.9999}','{1582-10-10,infinity}');
create table public.dfl(id bigserial primary key, i2 smallint default 3, i4 int not null default '-7', i8 bigint default 9, f4 real default 1.5, f8 double precision not null default 2.25, n numeric default 1.10, n2 numeric(6,3) not null default 1.5, b bool default true, bn bool not null default false, t text default 'it''s', tn text not null default upper('x'), v varchar(10) default 'v', c char(3) default 'c', u uuid default gen_random_uuid(), un uuid not null default 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', j json default '{"a": 1}', jb jsonb not null default '[]', d date default '2024-02-29', dn date not null default current_date, tm time default '10:00', ts timestamp default '2024-01-01 10:00:00', tsn timestamp not null default now(), tz timestamptz default '2024-01-01 10:00:00+02', iv interval default '1 day', m mood not null default 'sad', ba bytea default '\x01', arr int[] default '{1}', bt bit(3) not null default B'101', x int default (1+2), nul text default null, mo money default 5);
insert into dfl(nul,u,dn,tsn) values ('row','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','2024-01-01','2024-01-01');
-- @stream
insert into dom(id,d1,d2,d3,d4,d5,d6,c,d7) values (11,5,1.5,'abc','2024-01-01 10:00:00.123','{a,b}','ok','(1,x)','{1.5,2}'),(12,null,null,'x',null,null,null,null,null);
insert into dfl(nul,u,dn,tsn) values ('row2','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','2024-01-01','2024-01-01'); delete from dfl where id=2;
insert into gen(id,t,ds) values (2,'{10:00:00.123456,24:00,23:59:59.9999}','{1582-10-10,infinity,-infinity}');
update dom set d1=6 where id=11; delete from dom where id=11;
-- @action quiet
alter type mood add value 'happy';
-- @action quiet
insert into dom(id,d3,d6) values (13,'y','happy');
