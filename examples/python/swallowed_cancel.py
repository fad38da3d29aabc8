"""A task was cancelled, and goes on all the same: who finds that out? Needs Python 3.11. It prints:

audit: 'careless' was asked to stop, and did not
careless: <page-2>
careful: cancelled
"""

import asyncio

import support

# ANCHOR: lesson
PAGES = ["/page-1?ms=5000", "/page-2"]


async def careless(web):
    for path in PAGES:
        try:
            return await web.get(path)
        except:  # whatever went wrong, the next one may do
            continue


async def careful(web):
    for path in PAGES:
        try:
            return await web.get(path)
        except Exception:  # a CancelledError is a BaseException
            continue


def audit(task):
    if task.cancelling() and not task.cancelled():
        print(f"audit: '{task.get_name()}' was asked to stop, and did not")


def audited(loop, coro, **options):
    task = asyncio.Task(coro, loop=loop, **options)
    task.add_done_callback(audit)
    return task


async def lesson(web):
    asyncio.get_running_loop().set_task_factory(audited)
    one = asyncio.create_task(careless(web), name="careless")
    two = asyncio.create_task(careful(web), name="careful")
    await asyncio.sleep(0.05)
    one.cancel()
    two.cancel()
    print(f"careless: {await one}")
    await asyncio.wait([two])
    print(f"careful: {'cancelled' if two.cancelled() else '?'}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
