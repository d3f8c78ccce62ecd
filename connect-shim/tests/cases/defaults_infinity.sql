-- @pre
create table public.f(id int primary key, a date not null default 'infinity', b timestamp not null default 'infinity', c timestamptz not null default 'infinity', d date default '-infinity', e timestamp(3) default '-infinity', f timestamptz default '-infinity', g date not null default 'epoch', h timestamp not null default '294276-12-31 23:59:59'); insert into f(id) values (1);
-- @stream
insert into f(id) values (2);
