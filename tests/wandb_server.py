"""A server on this machine that answers what W&B's library asks while it keeps a workspace or a run."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """What was sent, and what is kept.

    Attributes:
        url: of the server.
        saved: variables of every call that saved a workspace, in order.
        views: workspaces by their name.
        projects: that exist.
        history: rows of each run, by its identifier and their place.
    """

    def __init__(self, projects: tuple[str, ...]) -> None:
        self.url, self.projects = "", projects
        self.saved: list[dict[str, Any]] = []
        self.views: dict[str, dict[str, Any]] = {}
        self.history: dict[str, dict[int, dict[str, Any]]] = {}

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data that GraphQL gives for a query."""
        if "upsertView" in query:
            return self._save(variables)
        if "allViews" in query:
            if variables["projectName"] not in self.projects:
                return {"project": None}
            found = self.views.get(variables["viewName"])
            return {"project": {"allViews": {"edges": [] if found is None else [{"node": found}]}}}
        if "RunResumeStatus" in query:
            return {"model": self._known(variables["name"])}
        if "CreateRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/files/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        if "upsertBucket" in query:
            return self._begin(variables)
        if "viewer" in query:
            own = {"id": "u", "entity": "me", "username": "me", "email": "", "flags": "{}", "teams": {"edges": []}}
            return {"viewer": own}
        return {}

    def take(self, run: str, sent: dict[str, Any]) -> None:
        """Keep rows of a run's history.

        Args:
            run: its identifier.
            sent: what its file stream brings.
        """
        lines = (sent.get("files") or {}).get("wandb-history.jsonl")
        for place, line in enumerate(lines["content"], lines["offset"]) if lines else ():
            assert place not in self.history.setdefault(run, {}), "a row is sent once"
            self.history[run][place] = json.loads(line)

    def _known(self, run: str) -> dict[str, Any]:
        rows = self.history.get(run, {})
        tail = json.dumps([json.dumps(rows[max(rows)])]) if rows else "[]"
        counts = {"historyLineCount": len(rows), "logLineCount": 0, "eventsLineCount": 0, "historyTail": tail}
        texts = {"summaryMetrics": "{}", "config": "{}", "eventsTail": "[]", "wandbConfig": '{"t": 1}'}
        bucket = {"id": "r", "name": run, "displayName": run, "tags": [], **counts, **texts}
        owner = {"id": "e", "name": "me"}
        return {"id": "p", "name": "sr", "entity": owner, "bucket": bucket if rows else None}

    def _begin(self, variables: dict[str, Any]) -> dict[str, Any]:
        owner = {"id": "e", "name": "me"}
        bucket = {"id": "r", "name": variables["name"], "displayName": variables.get("displayName"), "config": "{}"}
        bucket |= {"project": {"id": "p", "name": variables["project"], "entity": owner}, "historyLineCount": 0}
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}

    def _save(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.saved.append(variables)
        known = variables.get("id")
        view = {"id": known or f"id{len(self.views)}", "displayName": variables["displayName"]}
        self.views[variables["name"]] = view | {"spec": variables["spec"]}
        return {"upsertView": {"view": {"id": view["id"], "name": variables["name"]}, "inserted": known is None}}


@contextmanager
def wandb_server(*projects: str) -> Iterator[Server]:
    """A server that has these projects.

    Args:
        projects: their names.
    """
    server = Server(projects)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            data: dict[str, Any] = {}
            if self.path.endswith("/file_stream"):
                server.take(self.path.split("/")[-2], json.loads(body))
            elif self.path.endswith("/graphql"):
                asked = json.loads(body)
                data = {"data": server.answer(asked["query"], asked.get("variables") or {})}
            answer = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PUT = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
