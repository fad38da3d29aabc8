"""Who cleans up when something goes wrong? Every way to have children, tried out. Needs Python 3.13."""

import asyncio


# ANCHOR: lesson
async def task_group(children):
    async with asyncio.TaskGroup() as tg:
        for child in children:
            tg.create_task(child)


async def gather(children):
    await asyncio.gather(*children)


async def gather_outcomes(children):
    await asyncio.gather(*children, return_exceptions=True)


async def wait(children):
    await asyncio.wait([create_task(child) for child in children], return_when=asyncio.FIRST_EXCEPTION)


async def as_completed(children):
    async for task in asyncio.as_completed([create_task(child) for child in children]):
        await task


async def one_by_one(children):
    # The failing child is the last one.
    for task in [create_task(child) for child in children][::-1]:
        await task


async def wait_for(children):
    for task in [create_task(child) for child in children][::-1]:
        await asyncio.wait_for(task, 60)


async def shield(children):
    for task in [create_task(child) for child in children][::-1]:
        await asyncio.shield(task)


async def create_tasks(children):
    for child in children:
        create_task(child)
    await asyncio.sleep(0.5)
# ANCHOR_END: lesson


WAYS = {
    "`TaskGroup`": task_group,
    "`gather`": gather,
    "… `return_exceptions=True`": gather_outcomes,
    "`wait(…, FIRST_EXCEPTION)`": wait,
    "`as_completed`": as_completed,
    "`await task` one by one": one_by_one,
    "`wait_for(task, …)`": wait_for,
    "`shield(task)`": shield,
    "`create_task`, not awaited": create_tasks,
}

EVENTS = ["a child fails", "the caller is cancelled", "its time is over"]

NAMES = {
    ("running", "running"): "run on",
    ("finished", "finished"): "run on, waited for",
    ("cleaned up", "cleaned up"): "cancelled, waited for",
    ("cleaned up", "cleaning up"): "cancelled, not all waited for",
    ("cleaning up", "cleaning up"): "cancelled, not all waited for",
    ("running", "cleaned up"): "only the awaited one is cancelled",
}

kept = set()  # the loop itself keeps no task alive


def create_task(child):
    task = asyncio.create_task(child)
    kept.add(task)
    return task


async def child(fates, index, clean_up):
    try:
        await asyncio.sleep(1)
        fates[index] = "finished"
    except asyncio.CancelledError:
        fates[index] = "cleaning up"
        await asyncio.sleep(clean_up)
        fates[index] = "cleaned up"
        raise


async def failing():
    await asyncio.sleep(0.1)
    raise OSError("the child's")


async def try_out(way, event):
    """Says what became of the children, and what came out."""
    fates = ["running", "running"]
    children = [child(fates, 0, 0.02), child(fates, 1, 0.2)]
    if event == "a child fails":
        children.append(failing())
    seen = []

    async def caller():
        try:
            async with asyncio.timeout(0.1 if event == "its time is over" else None):
                await way(children)
        finally:
            seen.append(NAMES.get(tuple(fates), str(fates)))

    task = asyncio.create_task(caller())
    if event == "the caller is cancelled":
        await asyncio.sleep(0.1)
        task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    match outcome:
        case None:
            comes_out = "no error"
        case BaseExceptionGroup():
            comes_out = "an `ExceptionGroup`"
        case error:
            comes_out = f"{error} error"
    return seen[0], comes_out


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    trials = [try_out(way, event) for way in WAYS.values() for event in EVENTS]
    outcomes = iter(await asyncio.gather(*trials))
    heads = "a child fails: the others | … and what comes out | the caller is cancelled | its time is over"
    print(f"| children of | {heads} |")
    print("|---|---|---|---|---|")
    for title in WAYS:
        (others, comes_out), cancelled, over = next(outcomes), next(outcomes), next(outcomes)
        print(f"| {title} | {others} | {comes_out} | {cancelled[0]} | {over[0]} |")


if __name__ == "__main__":
    asyncio.run(main())
