"""Five hundred pages, but never more than ten at a time. Needs Python 3.11. It prints:

500 pages fetched, 10 at a time at most
"""

import asyncio

import support


# ANCHOR: lesson
async def lesson(web):
    ten = asyncio.Semaphore(10)

    async def fetch(path):
        async with ten:
            return await web.get(path)

    async with asyncio.TaskGroup() as tg:
        tasks = [tg.create_task(fetch(f"/{page}?ms=1")) for page in range(500)]
    pages = [task.result() for task in tasks]
    print(f"{len(pages)} pages fetched, {web.busiest} at a time at most")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
