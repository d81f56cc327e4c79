"""Whose an internet address is: everybody's, or somebody's own network."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Not covered by `is_global`: forms of IPv6 that carry an IPv4 address, and retired ranges.
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10",
         "192.88.99.0/24"),
    )
)  # fmt: skip


def is_public(text: str) -> bool:
    """Whether an address belongs to the public internet and to nobody's own network."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_multicast or any(address in network for network in _REFUSED):
        return False
    return address.is_global
