"""Readers under asyncio: several at once, cancelled waits."""

import asyncio
import os
import threading

import pytest
from helpers import CONFIGURE, ids

import arrowcdc


def test_several_tables_at_once(server, shop):
    async def consume(reader, wanted):
        found = []
        async for batch in reader.read_batches():
            found += ids([batch])
            if len(found) >= wanted:
                return found

    async def main():
        async with await asyncio.to_thread(CONFIGURE, **shop) as readers:
            tasks = [consume(readers["public.users"], 300), consume(readers["public.orders"], 200)]
            server.sql("INSERT INTO users SELECT g, 'u' FROM generate_series(1, 300) g", "shop")
            server.sql("INSERT INTO orders SELECT g, g FROM generate_series(1, 200) g", "shop")
            return await asyncio.wait_for(asyncio.gather(*tasks), 60)

    users, orders = asyncio.run(main())
    assert users == list(range(1, 301))
    assert orders == list(range(1, 201))
    assert server.sql("SELECT count(*) FROM pg_stat_replication") == "0"


def test_up_to_now(server, shop):
    async def main(reader):
        return [batch async for batch in reader.read_batches(until="now")]

    with CONFIGURE(**shop) as readers:
        assert asyncio.run(main(readers["public.users"])) == []
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        assert ids(asyncio.run(main(readers["public.users"]))) == [1]


def test_a_wait_that_timed_out_leaves_the_iterator_usable(server, shop):
    async def main(reader):
        batches = reader.read_batches()
        open_files = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(batches), 0.005)
        assert len(os.listdir("/proc/self/fd")) == open_files
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        return await asyncio.wait_for(anext(batches), 30)

    with CONFIGURE(**shop) as readers:
        assert ids([asyncio.run(main(readers["public.users"]))]) == [1]


def test_cancelled_tasks_lose_no_row(server, shop):
    """Tasks are cancelled while rows arrive; each row is found by exactly one of them, in order."""
    found = []

    async def consume(reader):
        async for batch in reader:
            found.extend(ids([batch]))

    async def main(reader):
        writer = threading.Thread(target=server.sql, args=(
            "SELECT format('INSERT INTO users VALUES (%s, ''u'')', g) FROM generate_series(1, 3000) g"
            " \\gexec", "shop"))
        writer.start()
        cancelled = 0
        while len(found) < 3000:
            task = asyncio.create_task(consume(reader))
            before = len(found)
            while len(found) == before and cancelled % 2:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            cancelled += 1
        writer.join()
        return cancelled

    with CONFIGURE(**shop) as readers:
        cancelled = asyncio.run(asyncio.wait_for(main(readers["public.users"]), 60))
        assert readers["public.users"].read(timeout=0) is None
    assert found == list(range(1, 3001))
    assert cancelled > 10


def test_one_task_waits_for_a_reader(server, shop):
    async def main(reader):
        first = asyncio.create_task(anext(reader.read_batches()))
        await asyncio.sleep(0)
        with pytest.raises(arrowcdc.OptionError, match="another task"):
            await anext(reader.read_batches())
        server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
        return await asyncio.wait_for(first, 30)

    with CONFIGURE(**shop) as readers:
        assert ids([asyncio.run(main(readers["public.users"]))]) == [1]


def test_leaving_a_reader_abandons_it(server, shop):
    async def main(readers):
        async with readers["public.users"] as users:
            server.sql("INSERT INTO users VALUES (1, 'a')", "shop")
            assert ids([await anext(aiter(users))]) == [1]
        with pytest.raises(arrowcdc.OptionError, match="abandoned"):
            await anext(aiter(users))

    with CONFIGURE(**shop) as readers:
        asyncio.run(main(readers))
    with CONFIGURE(**shop) as readers:
        assert ids(readers["public.users"].batches(until="now")) == [1]


def test_the_end_of_the_stream_wakes_who_waits(server, shop):
    async def main(readers):
        waiting = asyncio.create_task(anext(readers["public.users"].read_batches()))
        await asyncio.sleep(0)
        await asyncio.to_thread(readers.close)
        with pytest.raises(arrowcdc.OptionError, match="stopped"):
            await asyncio.wait_for(waiting, 30)

    asyncio.run(main(CONFIGURE(**shop)))
