import functools

from apscheduler.schedulers.asyncio import AsyncIOScheduler


def roster(rounds):
    plan = AsyncIOScheduler(timezone="UTC")
    plan.add_job(lambda: print("clock ticks"), "interval", seconds=0.2)
    plan.add_job(rounds.light, "interval", seconds=0.1)
    plan.add_job(functools.partial(rounds.walk, 2), "interval", seconds=0.1, id="floor-2", name="floor-2")
    return plan
