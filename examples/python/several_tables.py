"""Several tables at once with asyncio, over one slot.

    python several_tables.py HOST DATABASE USER [SECONDS]
"""

import asyncio
import sys

from arrowcdc import ArrowCDCReaderConfig


async def follow(reader, counts):
    async for batch in reader.read_batches():
        counts[reader.name] = counts.get(reader.name, 0) + batch.num_rows


async def main(host, database, user, seconds=10.0):
    counts = {}
    configure = ArrowCDCReaderConfig.auto_configure
    async with configure(host=host, database=database, user=user, tables="public.*") as readers:
        try:
            async with asyncio.timeout(float(seconds)), asyncio.TaskGroup() as group:
                for reader in readers.values():
                    group.create_task(follow(reader, counts))
        except TimeoutError:
            pass
    for name, rows in sorted(counts.items()):
        print(f"{name}: {rows} changes")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
