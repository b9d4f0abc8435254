"""The fixtures of the campaign.

``shared``  a control plane of its own with what every cell needs
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.campaign.cell import Field
from tests.campaign.nursery import nursery
from tests.stack.auditlog import AuditTail
from tests.stack.fault_proxy import ProxyThread
from tests.stack.kubernetes import ControlPlane
from tests.stack.podhistory import watching_pods


@pytest.fixture(scope="module")
def shared(own_control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    plane, folder = own_control_plane, tmp_path_factory.mktemp("campaign")
    with nursery(folder) as nest, watching_pods(plane) as pods, ProxyThread(plane) as proxies:
        audit = AuditTail(plane.folder / "audit.log")
        yield Field(plane=plane, pods=pods, proxies=proxies, nursery=nest, audit=audit.rows, folder=folder)
