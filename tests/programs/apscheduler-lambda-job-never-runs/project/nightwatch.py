import asyncio

from watch.roster import roster
from watch.rounds import Rounds


async def main():
    rounds = Rounds()
    plan = roster(rounds)
    plan.start()
    await asyncio.sleep(0.35)
    plan.shutdown()
    await asyncio.sleep(0.05)
    print("doors checked:", rounds.checked)
    print("lamp lit:", rounds.lit)


asyncio.run(main())
print("watch over")
