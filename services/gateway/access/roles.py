"""Which role each route needs: one table, matched before a request is looked at. Pure.

A route that is missing here answers nobody (services.gateway.deps.listed). Must not know who asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.routing import compile_path

from services.gateway.access.caller import Role

PUBLIC = "public"
"""Instead of a role: answered without credentials."""

ROUTE_ROLES: Mapping[str, Mapping[str, Role | str]] = {
    "/": {"GET": PUBLIC},
    "/console": {"GET": PUBLIC},
    "/console/{rest:path}": {"GET": PUBLIC},
    "/shared/{token}": {"GET": PUBLIC},
    "/page.css": {"GET": PUBLIC},
    "/page.js": {"GET": PUBLIC},
    "/favicon.ico": {"GET": PUBLIC},
    "/icon.svg": {"GET": PUBLIC},
    "/assets/{name}": {"GET": PUBLIC},
    "/{name}.js": {"GET": PUBLIC},
    "/healthz": {"GET": PUBLIC},
    "/readyz": {"GET": PUBLIC},
    "/api/openapi.json": {"GET": "viewer"},
    "/api/capabilities": {"GET": "viewer"},
    "/api/prompt-packs": {"GET": "viewer"},
    "/api/demo": {"GET": "viewer"},
    "/api/demo/files/{name}": {"GET": "viewer"},
    "/api/stream": {"GET": "viewer"},
    "/api/assets": {"GET": "viewer"},
    "/api/assets/image": {"POST": "creator"},
    "/api/assets/video": {"POST": "creator"},
    "/api/assets/audio": {"POST": "creator"},
    "/api/assets/resumable": {"POST": "creator", "OPTIONS": "creator"},
    "/api/assets/resumable/{uuid}": {"GET": "creator", "PATCH": "creator", "DELETE": "creator"},
    "/api/assets/{asset_id}": {"GET": "viewer"},
    "/api/assets/{asset_id}/content": {"GET": "viewer"},
    "/api/assets/{asset_id}/thumbnail": {"GET": "viewer"},
    "/api/jobs": {"GET": "viewer"},
    "/api/jobs/preview": {"POST": "creator"},
    "/api/jobs/animate": {"POST": "creator"},
    "/api/jobs/audio-performance": {"POST": "creator"},
    "/api/jobs/start-end": {"POST": "creator"},
    "/api/jobs/pose-control": {"POST": "creator"},
    "/api/jobs/motion-clip": {"POST": "creator"},
    "/api/jobs/{job_id}": {"GET": "viewer", "DELETE": "creator"},
    "/api/jobs/{job_id}/cancel": {"POST": "creator"},
    "/api/jobs/{job_id}/retry": {"POST": "creator"},
    "/api/jobs/{job_id}/export": {"GET": "viewer"},
    "/api/jobs/{job_id}/export/{sha256}": {"GET": "viewer"},
    "/api/jobs/{job_id}/events": {"GET": "viewer"},
    "/api/jobs/{job_id}/files/{name}": {"GET": "viewer"},
    "/api/jobs/{job_id}/live-preview": {"GET": "viewer"},
    "/api/jobs/{job_id}/outputs": {"GET": "viewer"},
    "/api/jobs/{job_id}/stream": {"GET": "viewer"},
    "/api/characters": {"GET": "viewer", "POST": "creator"},
    "/api/characters/{character_id}": {"GET": "viewer", "PUT": "creator", "DELETE": "creator"},
    "/api/presets": {"GET": "viewer", "POST": "creator"},
    "/api/presets/{preset_id}": {"PUT": "creator", "DELETE": "creator"},
    "/api/jobs/{job_id}/share": {"GET": "creator", "POST": "creator"},
    "/api/jobs/{job_id}/share/{share_id}": {"DELETE": "creator"},
    "/api/shared/{token}": {"GET": PUBLIC},
    "/api/shared/{token}/{name}": {"GET": PUBLIC},
    "/api/session": {"GET": "viewer", "POST": PUBLIC, "DELETE": "viewer"},
    "/api/admin/audit": {"GET": "operator"},
    "/api/admin/keys": {"GET": "operator", "POST": "operator"},
    "/api/admin/keys/{key_id}": {"DELETE": "operator"},
    "/api/admin/capabilities/refresh": {"POST": "operator"},
    "/api/admin/health": {"GET": "operator"},
    "/api/admin/jobs/by-prompt/{comfy_prompt_id}": {"GET": "operator"},
    "/api/admin/storage": {"GET": "operator"},
    "/api/admin/queue": {"GET": "operator"},
    "/api/admin/queue/pause": {"POST": "operator"},
    "/api/admin/queue/resume": {"POST": "operator"},
    "/api/admin/retry/{job_id}": {"POST": "operator"},
    "/api/admin/dead-letters": {"GET": "operator"},
    "/api/admin/dead-letters/{sequence}": {"GET": "operator"},
    "/api/admin/dead-letters/{sequence}/replay": {"POST": "operator"},
    "/api/admin/dead-letters/{sequence}/discard": {"POST": "operator"},
    "/api/admin/replay/{job_id}": {"POST": "operator"},
    "/api/admin/gc": {"POST": "operator"},
    "/api/admin/rebuilds": {"POST": "operator"},
    "/api/admin/rebuilds/{rebuild_id}": {"GET": "operator"},
    "/api/queue": {"GET": "viewer"},
    "/api/webhooks": {"GET": "viewer", "POST": "creator"},
    "/api/webhooks/{webhook_id}": {"GET": "viewer", "DELETE": "creator"},
    "/api/webhooks/{webhook_id}/deliveries": {"GET": "viewer"},
    "/api/webhooks/{webhook_id}/enable": {"POST": "creator"},
    "/api/admin/webhooks": {"GET": "operator"},
    "/api/admin/webhooks/deliveries": {"GET": "operator"},
    "/api/admin/webhooks/deliveries/{delivery_id}/redeliver": {"POST": "operator"},
    "/api/admin/assets/{asset_id}/key-poses": {"GET": "operator", "PUT": "operator"},
    "/api/admin/workflows": {"GET": "operator"},
    "/api/admin/workflows/activate": {"POST": "operator"},
    "/api/admin/workflows/activations": {"GET": "operator"},
    "/api/admin/workflows/rollback": {"POST": "operator"},
    "/api/admin/workflows/{name}/diff": {"GET": "operator"},
    "/api/admin/models": {"GET": "operator"},
}
"""By path and method; HEAD needs what GET needs."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The route that a request goes to and the role it needs; `role` is None for public ones."""

    path: str
    role: Role | None
    ids: Mapping[str, str]


def _compiled() -> list[tuple[re.Pattern[str], str]]:
    # Literal paths come first, so that /api/jobs/preview is not taken for a job's id.
    paths = sorted(ROUTE_ROLES, key=lambda path: (path.count("{"), -len(path)))
    return [(compile_path(path)[0], path) for path in paths]


_PATTERNS = _compiled()


def permit(method: str, path: str) -> Permit | None:
    """What the table says of a request; None when it has no such route."""
    method = "GET" if method == "HEAD" else method
    for pattern, template in _PATTERNS:
        found = pattern.match(path)
        role = ROUTE_ROLES[template].get(method) if found else None
        if found and role is not None:
            return Permit(template, None if role == PUBLIC else _role(role), found.groupdict())
    return None


def _role(name: str) -> Role:
    match name:
        case "viewer" | "creator" | "operator":
            return name
    raise ValueError(f"{name} is not a role")
