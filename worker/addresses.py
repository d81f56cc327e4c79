"""Whose an internet address is: everybody's, or somebody's own network."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What `is_global` says differs between versions of Python. This is IANA's registry, what carries
# an IPv4 address inside (6to4, Teredo), and the one public address that a cloud uses as its own.
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
         "168.63.129.16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
         "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
         "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)  # fmt: skip
# All other IPv6 is private, local, multicast, a translation, or nobody's yet.
_UNICAST = ipaddress.ip_network("2000::/3")


def parsed(text: str) -> Address:
    """The address that is dialled: without its zone, and IPv4 where IPv6 only wraps it.

    Raises ValueError for what is not an address in its usual form.
    """
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def is_public(text: str) -> bool:
    """Whether an address belongs to the public internet and to nobody's own network."""
    address = parsed(text)
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)
