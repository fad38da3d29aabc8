"""A dashboard shows what it can get. Needs Python 3.11. It prints:

user      <user>
orders    /orders answered 503 Service Unavailable
settings  <settings>
news      too late
"""

import asyncio

import support


# ANCHOR: lesson
async def lesson(web):
    services = ["/user?ms=20", "/orders?ms=10&status=503", "/settings?ms=40", "/news?ms=5000"]
    # Each has its own limit, and all of them run at once.
    fetches = [asyncio.wait_for(web.get(service), 0.5) for service in services]
    outcomes = await asyncio.gather(*fetches, return_exceptions=True)

    for service, outcome in zip(services, outcomes):
        name = service[1:].partition("?")[0]
        match outcome:
            case str(page):
                print(f"{name:<9} {page}")
            case TimeoutError():
                print(f"{name:<9} too late")
            case error:
                print(f"{name:<9} {error}")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
