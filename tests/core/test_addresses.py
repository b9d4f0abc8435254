"""Where a probe may not go."""

import pytest

from watchdog.core.addresses import is_address, why_forbidden


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("169.254.169.254", id="the clouds' metadata service"),
        pytest.param("169.254.170.2", id="AWS ECS"),
        pytest.param("fe80::1", id="link-local"),
        pytest.param("fe80::1%eth0", id="link-local with its zone"),
        pytest.param("fd00:ec2::254", id="AWS over IPv6"),
        pytest.param("100.100.100.200", id="Alibaba"),
        pytest.param("168.63.129.16", id="Azure"),
        pytest.param("192.0.0.192", id="Oracle"),
        pytest.param("::ffff:169.254.169.254", id="mapped into IPv6"),
        pytest.param("64:ff9b::a9fe:a9fe", id="by NAT64"),
        pytest.param("2002:a9fe:a9fe::1", id="by 6to4"),
        pytest.param("0.0.0.0", id="unspecified"),  # noqa: S104 - nothing is bound
        pytest.param("::", id="unspecified, IPv6"),
        pytest.param("224.0.0.1", id="multicast"),
    ],
)
def test_forbidden(address: str) -> None:
    assert why_forbidden(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"])
def test_the_cluster_s_own_addresses_are_allowed(address: str) -> None:
    assert not why_forbidden(address)


def test_what_an_address_is() -> None:
    assert is_address("10.0.0.1")
    assert is_address("::1")
    assert not is_address("web-green")
    assert not is_address("2852039166")
