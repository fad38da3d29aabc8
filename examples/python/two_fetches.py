"""Two fetches at once: with a gather, and with a group. Needs Python 3.11. It prints:

gather: <user> <orders>
group:  <user> <orders>
gather: /orders answered 500 Internal Server Error; and the other fetch goes on
group:  /orders answered 500 Internal Server Error; and the other fetch has ended
"""

import asyncio

import support


# ANCHOR: lesson
async def lesson(web):
    user, orders = await asyncio.gather(web.get("/user?ms=40"), web.get("/orders?ms=20"))
    print(f"gather: {user} {orders}")

    async with asyncio.TaskGroup() as tg:
        user = tg.create_task(web.get("/user?ms=40"))
        orders = tg.create_task(web.get("/orders?ms=20"))
    print(f"group:  {user.result()} {orders.result()}")

    # And when one of them fails?
    user = asyncio.create_task(web.get("/user?ms=5000"))  # keep it: the loop itself would not
    try:
        await asyncio.gather(user, web.get("/orders?status=500"))
    except support.HttpError as error:
        print(f"gather: {error}; and the other fetch {state(user)}")

    try:
        async with asyncio.TaskGroup() as tg:
            other = tg.create_task(web.get("/user?ms=5000"))
            tg.create_task(web.get("/orders?status=500"))
    except ExceptionGroup as group:
        print(f"group:  {group.exceptions[0]}; and the other fetch {state(other)}")
# ANCHOR_END: lesson


def state(task):
    return "has ended" if task.done() else "goes on"


if __name__ == "__main__":
    support.run(lesson)
