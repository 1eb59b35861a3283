"""Several tables at once with asyncio, over one slot, until Ctrl-C, or up to now.

    python several_tables.py HOST DATABASE USER [now]
"""

import asyncio
import sys

from arrowcdc import ArrowCDCReaderConfig, Readers


async def follow(readers: Readers, name: str, until: str | None) -> None:
    changes = 0
    async for batch in readers[name].read_batches(until):
        changes += batch.num_rows
        print(f"{name}: {changes} changes")


async def main(host: str, database: str, user: str, until: str | None = None) -> None:
    configure = ArrowCDCReaderConfig.auto_configure
    async with configure(
        host=host, database=database, user=user, tables="public.*", slot="several_tables"
    ) as readers:
        await asyncio.gather(*(follow(readers, name, until) for name in readers))


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: python several_tables.py HOST DATABASE USER [now]")
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped")
