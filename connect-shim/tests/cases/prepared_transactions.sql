-- @pre
create table public.a(id int primary key, v text, big text); insert into a values (1,'x'); create table public.b(id int primary key, v text); create table public.c(id int primary key, v text);
-- @stream
insert into a values (2,'y');
begin; insert into a values (3,'p'); update a set v='pp' where id=1; prepare transaction 'prepared_transactions_p1';
insert into a values (4,'between');
commit prepared 'prepared_transactions_p1';
begin; insert into a values (5,'r'); prepare transaction 'prepared_transactions_p2'; rollback prepared 'prepared_transactions_p2';
-- @action quiet
begin; insert into a values (6,'sub'); savepoint q; insert into a values (7,'gone'); rollback to q; savepoint r; insert into b values (1,'kept'); release r; truncate b; insert into b values (2,'t'); delete from a where id=2; prepare transaction 'prepared_transactions_p3';
begin; insert into c values (8,'q'); prepare transaction 'prepared_transactions_p4';
insert into a values (10,'middle');
commit prepared 'prepared_transactions_p4'; commit prepared 'prepared_transactions_p3';
-- @action quiet
begin; insert into a values (20,'over a restart'); prepare transaction 'prepared_transactions_p5';
begin; insert into a values (21,'no'); prepare transaction 'prepared_transactions_p6';
insert into b values (30,'seen');
-- @action restart
insert into b values (31,'seen 2');
commit prepared 'prepared_transactions_p5'; rollback prepared 'prepared_transactions_p6';
-- @action quiet
begin; insert into a values (22,'while stopped'); prepare transaction 'prepared_transactions_p7';
-- @action stop
commit prepared 'prepared_transactions_p7'; insert into a values (23,'stopped');
begin; insert into a values (24,'prepared while stopped'); prepare transaction 'prepared_transactions_p8';
-- @action resume
insert into a values (25,'again');
commit prepared 'prepared_transactions_p8';
begin; prepare transaction 'prepared_transactions_p9'; commit prepared 'prepared_transactions_p9';
insert into a values (26,'end');
