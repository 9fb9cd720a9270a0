import asyncio


def wind_down(loop):
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    for outcome in loop.run_until_complete(asyncio.gather(*left, return_exceptions=True)):
        if isinstance(outcome, Exception):
            loop.call_exception_handler({"message": "task failed at the end", "exception": outcome})
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
