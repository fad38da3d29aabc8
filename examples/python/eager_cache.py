"""A cache in front of the web: what is in it is there at once. Needs Python 3.12. It prints:

cold: 0 of 3 were there at once; <user> <orders> <news>
warm: 3 of 3 were there at once; <user> <orders> <news>
"""

import asyncio

import support


# ANCHOR: lesson
class CachedWeb:
    def __init__(self, web):
        self.web = web
        self.pages = {}

    async def get(self, path):
        if path not in self.pages:
            self.pages[path] = await self.web.get(path)
        return self.pages[path]


async def lesson(web):
    web = CachedWeb(web)
    loop = asyncio.get_running_loop()
    for cache in "cold", "warm":
        # Eager: whoever finds a page in the cache has ended then. (From 3.14 on, `create_task` can do it.)
        fetches = [web.get(path) for path in ("/user", "/orders", "/news")]
        tasks = [asyncio.Task(fetch, loop=loop, eager_start=True) for fetch in fetches]
        at_once = sum(task.done() for task in tasks)
        pages = await asyncio.gather(*tasks)
        print(f"{cache}: {at_once} of {len(pages)} were there at once; {' '.join(pages)}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
