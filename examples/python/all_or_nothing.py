"""An order takes three steps at once: all succeed, or none has happened. Needs Python 3.11. It prints:

stock: reserved
card: stopped midway, and released
stock: given back
no order: /courier answered 503 Service Unavailable
"""

import asyncio

import support


# ANCHOR: lesson
async def step(web, name, path, done):
    try:
        await web.get(path)
    except asyncio.CancelledError:
        # Asked to stop, once. Awaits work again: to clean up, and then to go.
        await web.get("/release")
        print(f"{name}: stopped midway, and released")
        raise
    print(f"{name}: reserved")
    done.append(name)


async def lesson(web):
    done = []  # what has succeeded, and would have to be undone
    try:
        try:
            async with asyncio.TaskGroup() as tg:
                tg.create_task(step(web, "stock", "/stock?ms=10", done))
                tg.create_task(step(web, "card", "/card?ms=5000", done))
                tg.create_task(step(web, "courier", "/courier?ms=200&status=503", done))
        except BaseException:
            # Here all three have ended, each in its own way: nothing can still change.
            for name in reversed(done):
                await web.get("/give-back")
                print(f"{name}: given back")
            raise
    except* support.HttpError as caught:
        print(f"no order: {caught.exceptions[0]}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
