"""Several fetches fail, each in its own way: handle each kind by itself. Needs Python 3.11. It prints:

the server said no: /news answered 404 Not Found
the server said no: /orders answered 503 Service Unavailable
could not even be asked: 1
nothing is left over
"""

import asyncio

import support


# ANCHOR: lesson
async def lesson(web):
    try:
        # A TaskGroup stops at the first failure, so the errors are collected by hand.
        outcomes = await asyncio.gather(
            web.get("/user"),
            web.get("/news?ms=20&status=404"),
            web.get("/orders?ms=40&status=503"),
            support.nowhere().get("/settings"),
            return_exceptions=True,
        )
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if errors:
            raise ExceptionGroup("fetches", errors)
    except* support.HttpError as caught:
        for error in caught.exceptions:
            print(f"the server said no: {error}")
    except* OSError as caught:
        print(f"could not even be asked: {len(caught.exceptions)}")
    print("nothing is left over")
# ANCHOR_END: lesson


if __name__ == "__main__":
    support.run(lesson)
