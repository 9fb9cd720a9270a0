from apscheduler.schedulers.asyncio import AsyncIOScheduler


def roster(rounds):
    plan = AsyncIOScheduler(timezone="UTC")
    plan.add_job(rounds.light, "interval", seconds=0.1)
    for floor in (1, 2):
        plan.add_job(lambda f=floor: rounds.walk(f), "interval", seconds=0.1, id=f"floor-{floor}")
    return plan
