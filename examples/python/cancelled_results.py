"""Four tasks have ended: which have a result, and which were cancelled? Needs Python 3.11. It prints:

user    gave <user>
news    failed: /news answered 404 Not Found
report  was cancelled
backup  gave half a backup
"""

import asyncio

import support


# ANCHOR: lesson
async def backup(web):
    try:
        return await web.get("/backup?ms=5000")
    except asyncio.CancelledError:
        # Half is better than nothing: its own decision, so the request is off the table.
        asyncio.current_task().uncancel()
        return "half a backup"


async def lesson(web):
    tasks = [
        asyncio.create_task(web.get("/user?ms=10"), name="user"),
        asyncio.create_task(web.get("/news?ms=10&status=404"), name="news"),
        asyncio.create_task(web.get("/report?ms=5000"), name="report"),
        asyncio.create_task(backup(web), name="backup"),
    ]
    _, pending = await asyncio.wait(tasks, timeout=0.3)
    for late in pending:
        late.cancel()
    await asyncio.wait(tasks)  # a cancel only asks: they end when they have cleaned up

    for task in tasks:
        # First of all: of a cancelled task, `exception()` and `result()` raise a CancelledError of your own.
        if task.cancelled():
            how = "was cancelled"
        elif task.exception():
            how = f"failed: {task.exception()}"
        else:
            how = f"gave {task.result()}"
        print(f"{task.get_name():<7} {how}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
