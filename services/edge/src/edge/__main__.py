"""`python -m edge run`: the edge's process. It has no database, so `migrate` has nothing to do."""

from __future__ import annotations

import argparse
import asyncio
import logging

from edge.app import Agent
from edge.settings import EdgeSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="edge", description=__doc__)
    parser.add_argument("action", choices=["run", "migrate"])
    if parser.parse_args().action == "migrate":
        return
    settings = EdgeSettings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")

    async def run() -> None:
        await Agent(settings).run()

    asyncio.run(run())


if __name__ == "__main__":
    main()
