"""The parsers of commands, without anything that a command runs."""

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def group(commands: Commands, name: str, help_text: str) -> Commands:
    """Add `switchyard <name> …`, with commands of its own."""
    parser = commands.add_parser(name, help=help_text, description=help_text)
    return parser.add_subparsers(title="commands", required=True, metavar="command")
