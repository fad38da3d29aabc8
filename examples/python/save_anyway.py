"""The client has no patience, but what it has sent is to be saved all the same. Needs Python 3.11. It prints:

the client has gone; save cancelled: true
the client has gone; save cancelled: false
saved: <save>
"""

import asyncio

import support

# ANCHOR: lesson
PATIENCE = 0.02


async def lesson(web):
    async with asyncio.TaskGroup() as tg:
        # Who awaits a task drags it along: a cancel of the waiting is a cancel of the task.
        save = tg.create_task(web.get("/save?ms=500"))
        try:
            async with asyncio.timeout(PATIENCE):
                await save
        except TimeoutError:
            print(f"the client has gone; save cancelled: {str(save.cancelled()).lower()}")

        # Shielded, only the waiting ends; and the group waits for the task.
        save = tg.create_task(web.get("/save?ms=500"))
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(save)
        except TimeoutError:
            print(f"the client has gone; save cancelled: {str(save.cancelled()).lower()}")
    print(f"saved: {save.result()}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
