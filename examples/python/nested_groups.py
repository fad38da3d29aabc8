"""Groups within groups: a page has a head and a body, each fetched by a group. Needs Python 3.11. It prints:

user: cancelled
unhandled errors in a TaskGroup (1 sub-exception)
  unhandled errors in a TaskGroup (1 sub-exception)
    /orders answered 503 Service Unavailable
handled, wherever it was: 1
"""

import asyncio

import support


# ANCHOR: lesson
async def fetch(web, name, path):
    try:
        return await web.get(path)
    except asyncio.CancelledError:
        print(f"{name}: cancelled")
        raise


async def section(web, parts):
    async with asyncio.TaskGroup() as tg:
        tasks = [tg.create_task(fetch(web, name, path), name=name) for name, path in parts]
    return "".join(task.result() for task in tasks)


async def lesson(web):
    try:
        async with asyncio.TaskGroup() as tg:
            head = [("logo", "/logo?ms=10"), ("user", "/user?ms=5000")]
            body = [("news", "/news?ms=10"), ("orders", "/orders?ms=200&status=503")]
            tg.create_task(section(web, head), name="head")
            tg.create_task(section(web, body), name="body")
    except* support.HttpError as caught:
        # A clause reaches through all levels.
        show(caught)
        print(f"handled, wherever it was: {sum(1 for _ in leaves(caught))}")


def show(error, indent=""):
    print(f"{indent}{error}")
    for inner in getattr(error, "exceptions", ()):
        show(inner, indent + "  ")


def leaves(error):
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
