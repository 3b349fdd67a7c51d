-- SPDX-License-Identifier: Apache-2.0
-- Tables, indexes, joins, windows, full text, sorting. Ends.
create table a (id integer primary key, k int, s text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
insert into a select i, (i * 7919) % 10007, hex(i * i) || ' ' || printf('%08d word%d', i, i % 97) from n;
create index a_k on a (k);
create index a_s on a (s);
select count(*), sum(length(x.s)) from a x join a y on x.k = y.k where x.id % 7 = 0;
select k, count(*), max(s) from a group by k order by 2 desc, 1 limit 5;
select sum(r) from (select row_number() over (partition by k % 100 order by s) as r from a);
select count(*) from a where s like '%word13%' or s glob '*FF*';
create virtual table f using fts5(s);
insert into f select s from a where id % 4 = 0;
select count(*) from f where f match 'word13 or word14';
update a set s = upper(s) || k where k % 3 = 0;
with recursive fib(a, b, n) as (select 0, 1, 0 union all select b, (a + b) % 1000007, n + 1 from fib where n < 300000)
select max(a) from fib;
select sum(json_extract(json_object('k', k, 's', s), '$.k')) from a;
delete from a where k % 2 = 0;
vacuum;
