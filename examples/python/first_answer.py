"""Three mirrors have the same page. The first that gives it will do. Needs Python 3.11. It prints:

wait: <page>; cancelled by hand: 1
"""

import asyncio

import support

# ANCHOR: lesson
MIRRORS = ["/page?ms=10&status=503", "/page?ms=5000", "/page?ms=60"]


async def lesson(web):
    pending = {asyncio.create_task(web.get(path)) for path in MIRRORS}
    page = None
    while page is None:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.exception():
                page = task.result()
    for task in pending:
        task.cancel()
    losers = await asyncio.gather(*pending, return_exceptions=True)  # until they have ended
    print(f"wait: {page}; cancelled by hand: {len(losers)}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
