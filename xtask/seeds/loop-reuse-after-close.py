import asyncio


class ReportRunner:
    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine):
        try:
            return self.loop.run_until_complete(coroutine)
        finally:
            self.loop.close()


async def _report(name):
    return name


def write_reports():
    runner = ReportRunner()
    runner.run(_report("daily"))
    runner.run(_report("weekly"))


if __name__ == "__main__":
    write_reports()
