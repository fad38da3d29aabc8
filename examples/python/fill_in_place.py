"""Three pages at once, each written where it belongs. Needs Python 3.11. It prints:

cocoa: <cocoa>
coffee: <coffee>
tea: <tea>
"""

import asyncio

import support


# ANCHOR: lesson
async def lesson(web):
    pages = {"tea": "", "coffee": "", "cocoa": ""}

    async def fill(drink):
        pages[drink] = await web.get(f"/{drink}?ms=5")

    async with asyncio.TaskGroup() as tg:
        for drink in pages:
            tg.create_task(fill(drink))
    for drink, page in sorted(pages.items()):
        print(f"{drink}: {page}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
