"""A fake of the routes of Ray's Jobs API that `mixfront search` uses."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

LOG = "trial 0 is complete\n"


@contextmanager
def jobs_server() -> Iterator[str]:
    """Run the server in a thread of this process, and yield its URL."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    urls: list[str] = []

    async def start() -> web.AppRunner:
        runner = web.AppRunner(_application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        return runner

    def serve() -> None:
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield urls[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def _application() -> web.Application:
    jobs: dict[str, dict[str, Any]] = {}

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"version": "4", "ray_version": "2.60.0", "ray_commit": ""})

    async def package(_: web.Request) -> web.Response:
        return web.Response()  # every package already exists

    async def submit(request: web.Request) -> web.Response:
        sent = await request.json()
        jobs[sent["submission_id"]] = sent | {"type": "SUBMISSION", "status": "RUNNING"}
        response = {"job_id": sent["submission_id"], "submission_id": sent["submission_id"]}
        return web.json_response(response)

    async def all_jobs(_: web.Request) -> web.Response:
        return web.json_response(list(jobs.values()))

    async def one_job(request: web.Request) -> web.Response:
        return web.json_response(jobs[request.match_info["job"]])

    async def stop(request: web.Request) -> web.Response:
        jobs[request.match_info["job"]]["status"] = "STOPPED"
        return web.json_response({"stopped": True})

    async def logs(_: web.Request) -> web.Response:
        return web.json_response({"logs": LOG})

    async def tail(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(LOG)
        await socket.close()
        return socket

    async def facts(_: web.Request) -> web.Response:
        return web.json_response({"data": {}})  # a dashboard that says nothing about its cluster

    app = web.Application(client_max_size=2**28)
    app.router.add_get("/api/version", version)
    for path in ("/api/v0/cluster_metadata", "/api/v0/nodes", "/api/cluster_status"):
        app.router.add_get(path, facts)
    app.router.add_route("*", "/api/packages/{protocol}/{name}", package)
    app.router.add_post("/api/jobs/", submit)
    app.router.add_get("/api/jobs/", all_jobs)
    app.router.add_get("/api/jobs/{job}", one_job)
    app.router.add_post("/api/jobs/{job}/stop", stop)
    app.router.add_get("/api/jobs/{job}/logs", logs)
    app.router.add_get("/api/jobs/{job}/logs/tail", tail)
    return app
