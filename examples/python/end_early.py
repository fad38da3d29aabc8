"""Looking for a book on four shelves at once, until it is found. Needs Python 3.11. It prints:

found by a child: <shelf-1>
"""

import asyncio

import support

# ANCHOR: lesson
SHELVES = ["/shelf-0?ms=5000", "/shelf-1?ms=60", "/shelf-2?ms=5000", "/shelf-3?ms=5000"]


class Enough(Exception):
    """Raised by a child to end its group: from Python 3.15 on, `tg.cancel()` does."""


async def lesson(web):
    found = []

    async def search(shelf):
        found.append(await web.get(shelf))
        raise Enough

    try:
        async with asyncio.TaskGroup() as tg:
            for shelf in SHELVES:
                tg.create_task(search(shelf))
            await asyncio.sleep(5)  # it would show the way to the exit meanwhile
    except* Enough:
        pass
    print(f"found by a child: {found[0]}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
