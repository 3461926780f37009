"""What both hubs are told: services, roles, groups, scopes. The reference gets it as Python, ours as YAML (which JSON is)."""
import json

SERVICES = {
    "wiki": {"api_token": "wiki-secret-0123456789", "oauth_redirect_uri": "http://wiki.example/back?from=hub",
             "oauth_client_allowed_scopes": ["read:servers!user", "custom:grades:read", "list:users"]},
    "quiet": {"api_token": "quiet-secret-0123456789", "oauth_redirect_uri": "/services/quiet/oauth_callback",
              "oauth_no_confirm": True},
    "closed": {"api_token": "closed-secret-0123456789", "oauth_redirect_uri": "/services/closed/oauth_callback"},
    "culler": {"api_token": "culler-secret-0123456789"},
    "chief": {"api_token": "chief-secret-0123456789", "admin": True},
    "teacher": {"api_token": "teacher-secret-0123456789", "info": {"room": 5}, "display": False},
}
SCOPES = {
    "custom:grades": {"description": "change grades", "subscopes": ["custom:grades:read"]},
    "custom:grades:read": {"description": "read grades"},
}
GROUPS = {"lab": ["anna", "bert"]}


def roles(release):
    """Shares are of the release 5, a scope for starting is of the release 6."""
    return [
        {"name": "user", "scopes": ["self", "access:services!service=wiki", "access:services!service=quiet"]},
        {"name": "culler", "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
         "services": ["culler"]},
        {"name": "teacher", "scopes": ["groups!group=lab", "list:users!group=lab", "servers!group=lab",
                                       "custom:grades", "list:services", "read:hub"], "services": ["teacher"]},
        {"name": "lab-reader", "scopes": ["read:groups!group=lab", "custom:grades:read"], "groups": ["lab"]},
        {"name": "sharer", "scopes": ["read:users:name", "read:groups:name"] + (["shares!user"] if release >= 5 else []),
         "users": ["olga"]},
    ]


OURS = """\
  load_roles: %s
  load_groups: %s
  custom_scopes: %s
services: %s
server:
  allow_named_servers: true
  named_server_limit: 3
  slow_spawn_timeout: 3s
  http_timeout: 40s
""" % tuple(json.dumps(value) for value in (roles(6), GROUPS, SCOPES, SERVICES))


def theirs_of(release):
    return """
c.JupyterHub.load_roles = %r
c.JupyterHub.load_groups = %r
c.JupyterHub.custom_scopes = %r
c.JupyterHub.services = %r
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 3}
c.Spawner.http_timeout = 26
""" % (roles(release), GROUPS, SCOPES, [dict(s, name=name) for name, s in SERVICES.items()])
