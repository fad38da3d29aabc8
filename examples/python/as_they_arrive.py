"""Four fetches at once, and each page is shown as it comes in. Needs Python 3.13. It prints:

1 of 4: settings <settings>
2 of 4: user <user>
3 of 4: news <news>
4 of 4: orders <orders>
"""

import asyncio

import support


# ANCHOR: lesson
async def lesson(web):
    services = {"user": 60, "orders": 180, "settings": 10, "news": 120}
    async with asyncio.TaskGroup() as tg:
        tasks = [tg.create_task(web.get(f"/{name}?ms={ms}"), name=name) for name, ms in services.items()]
        arrived = 0
        async for task in asyncio.as_completed(tasks):
            arrived += 1
            print(f"{arrived} of {len(tasks)}: {task.get_name()} {await task}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
