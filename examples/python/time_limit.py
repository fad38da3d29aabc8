"""A page of two parts gets 500 ms; what is late is stopped, and cleans up. Needs Python 3.11. It prints:

user: <user>
report: told to stop; cleaned up
timed out
"""

import asyncio

import support


# ANCHOR: lesson
async def report(web):
    try:
        print(f"report: {await web.get('/report?ms=5000')}")
    except asyncio.CancelledError:
        await web.get("/tidy-up?ms=20")
        print("report: told to stop; cleaned up")
        raise


async def lesson(web):
    try:
        async with asyncio.timeout(0.5):
            async with asyncio.TaskGroup() as tg:
                tg.create_task(report(web))
                print(f"user: {await web.get('/user?ms=10')}")
        print("all in time")
    except TimeoutError:
        # The group has ended before: the report's clean-up is behind us.
        print("timed out")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
