"""Two requests are answered at once, and each line of the log says for which it is. Needs Python 3.11. It prints:

request 1: got <user>
request 2: got <user>
request 1: got <orders>
request 1: answered
request 2: got <news>
request 2: answered
"""

import asyncio
import contextvars

import support

# ANCHOR: lesson
# Tasks that are spawned to help with a request do it for the same.
REQUEST_ID = contextvars.ContextVar("REQUEST_ID")


def log(what):
    print(f"request {REQUEST_ID.get()}: {what}")


async def fetch(web, path):
    log(f"got {await web.get(path)}")


async def answer(web, request_id, paths):
    REQUEST_ID.set(request_id)
    async with asyncio.TaskGroup() as tg:
        for path in paths:
            tg.create_task(fetch(web, path))
    log("answered")


async def lesson(web):
    async with asyncio.TaskGroup() as tg:
        tg.create_task(answer(web, 1, ["/user?ms=20", "/orders?ms=140"]))
        tg.create_task(answer(web, 2, ["/user?ms=80", "/news?ms=200"]))
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
