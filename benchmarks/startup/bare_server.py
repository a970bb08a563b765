"""The bound of `run`: a process that imports what every LangStream gateway is made of and serves one health page.

python benchmarks/startup/bare_server.py PORT
"""

from __future__ import annotations

import asyncio
import sys

import click  # noqa: F401 - part of the bound
import orjson
import pydantic
import uvicorn
import uvloop
import yaml  # noqa: F401 - part of the bound
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Health(pydantic.BaseModel):
    """One model, because a process that imports pydantic has at least one."""

    status: str = "UP"


async def health(request: Request) -> Response:
    """The page."""
    return Response(orjson.dumps(Health().model_dump()), media_type="application/json")


async def main(port: int) -> None:
    """Serve until killed."""
    app = Starlette(routes=[Route("/management/health", health)])
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
