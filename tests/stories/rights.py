"""Grants a ServiceAccount rights in a namespace.

Law: granting again replaces what was granted before.
"""

from collections.abc import Sequence
from typing import Any

from tests.stack.admin import path_of
from tests.stack.banking import BankingApp

NAME = "watchdog"
Rule = dict[str, Any]


def grant(app: BankingApp, rules: Sequence[Rule]) -> None:
    """Gives the namespace's default ServiceAccount exactly these rights."""
    roles, bindings = path_of("roles", app.namespace), path_of("rolebindings", app.namespace)
    if app.admin.exists(f"{roles}/{NAME}"):
        app.admin.patch(f"{roles}/{NAME}", {"rules": list(rules)})
        return
    app.admin.create(roles, {"metadata": {"name": NAME}, "rules": list(rules)})
    binding = {
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": app.namespace}],
    }
    app.admin.create(bindings, binding)
