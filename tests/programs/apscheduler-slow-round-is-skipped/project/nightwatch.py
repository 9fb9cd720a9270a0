import asyncio
import logging

from watch.roster import roster
from watch.rounds import Rounds

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")


async def main():
    rounds = Rounds()
    plan = roster(rounds)
    plan.start()
    await asyncio.sleep(0.5)
    plan.pause()
    await asyncio.sleep(0.2)
    plan.shutdown()
    await asyncio.sleep(0)
    print("doors checked:", rounds.checked)
    print("lamp lit:", rounds.lit)


asyncio.run(main())
print("watch over")
