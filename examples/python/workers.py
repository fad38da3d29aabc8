"""Three workers share a queue of pages. When there is no more work, they go home. Needs Python 3.13. It prints:

30 pages fetched by 3 workers, 3 at a time at most
a worker has failed, and nobody waits for it: /9 answered 503 Service Unavailable
"""

import asyncio
import itertools

import support


# ANCHOR: lesson
async def worker(web, queue):
    fetched = 0
    while True:
        try:
            path = await queue.get()
        except asyncio.QueueShutDown:
            return fetched  # no more work
        await web.get(path)
        fetched += 1


async def fetch_all(web, paths):
    async with asyncio.TaskGroup() as tg:
        queue = asyncio.Queue(5)  # who puts a sixth waits
        workers = [tg.create_task(worker(web, queue)) for _ in range(3)]
        for path in paths:
            await queue.put(path)
        queue.shutdown()
    return [worker.result() for worker in workers]


async def lesson(web):
    fetched = await fetch_all(web, (f"/{page}?ms=5" for page in range(30)))
    print(f"{sum(fetched)} pages fetched by {len(fetched)} workers, {web.busiest} at a time at most")

    # One that fails takes the others with it, and whoever waits to put more into the queue.
    try:
        await fetch_all(web, (f"/{page}?ms=5{'&status=503' * (page == 9)}" for page in itertools.count()))
    except* support.HttpError as caught:
        print(f"a worker has failed, and nobody waits for it: {caught.exceptions[0]}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
