"""Which addresses a probe may not connect to.

Law: an address is judged by what it reaches in the end: one that wraps an IPv4 address is that address.

A rule file is text that many may change; the watchdog sits where the clouds' metadata services answer, and these hand
out credentials to whoever asks from there.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

# Those that are not link-local: Alibaba, Azure, AWS over IPv6, Oracle.
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "192.0.0.192")))
_NAT64 = IPv6Network("64:ff9b::/96")
_LAST_32_BITS = 0xFFFF_FFFF


def why_forbidden(text: str) -> str:
    """Why a probe may not connect to this IP address, "" when it may."""
    address = _unwrapped(ip_address(text))
    if address in _METADATA:
        return "is a cloud's metadata service"
    if address.is_link_local:
        return "is link-local, where clouds' metadata services are"
    if address.is_multicast or address.is_unspecified:
        return "is not the address of one server"
    return ""


def is_address(text: str) -> bool:
    """True for an IP address, False for a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _LAST_32_BITS)
    return address.ipv4_mapped or address.sixtofour or address
