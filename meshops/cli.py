"""The command line: from the functions in `meshops.commands` to a parser, and from errors to one line."""

from __future__ import annotations

import argparse
import inspect as introspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from jsonargparse import ArgumentParser

from geometries.errors import MeshopsError
from meshops import console
from meshops.commands import COMMANDS, Command
from meshops.usage import check_numbers, check_texts, explained, kinds

_STRICT = {"exit_on_error": False, "allow_abbrev": False}


def parser(chosen: str = "") -> ArgumentParser:
    """Return the parser. Only the chosen command's arguments are built: reading signatures imports what they use."""
    root = ArgumentParser(prog="meshops", description="CAD and mesh files to fields, by learned operators.", **_STRICT)
    commands = root.add_subcommands(dest="command", required=True)
    for function in COMMANDS:
        name, text = function.__name__, introspect.getdoc(function) or ""
        sub = _command_parser(function, text) if name == chosen else ArgumentParser(**_STRICT)
        commands.add_subcommand(name, sub, help=text.splitlines()[0])
    return root


def _command_parser(function: Command, text: str) -> ArgumentParser:
    """Required parameters are positional; `output` is -o; booleans are flags."""
    example = next(line for line in text.splitlines() if line.startswith("Example: "))
    sub = ArgumentParser(description=text.splitlines()[0], epilog=example, **_STRICT)
    parameters = introspect.signature(function, eval_str=True).parameters
    for shared in (get_args(p.annotation)[0] for p in parameters.values() if p.kind is p.VAR_KEYWORD):
        text += f"\n{introspect.getdoc(shared)}"
    flags = [n for n, kind in kinds(function).items() if kind is bool]
    sub.add_function_arguments(function, as_positional=True, skip={*flags, "output"})
    for name in flags:
        sub.add_argument(f"--{name}", action="store_true", help=_help_of(text, name))
    if "output" in parameters:
        default = parameters["output"].default
        needed = {"required": True} if default is introspect.Parameter.empty else {"default": default}
        sub.add_argument("-o", "--output", type=Path, help=_help_of(text, "output"), **needed)
    return sub


def _help_of(text: str, name: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line.split(": ", 1)[1] for line in lines if line.startswith(f"{name}: ")), "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; a wrong input is one line on stderr and exit code 2."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    function = next((c for c in COMMANDS if given and c.__name__ == given[0]), None)
    try:
        check_texts(given)
        config = parser(given[0] if given else "").parse_args(given)
        function = function or next(c for c in COMMANDS if c.__name__ == config.command)
        values = config[config.command].as_dict()
        check_numbers(values, function)
        return function(**values) or 0
    except argparse.ArgumentError as error:
        return _fail(explained(str(error), function))
    except MeshopsError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except KeyboardInterrupt:
        return _fail("interrupted.", 130)


def _fail(message: str, code: int = 2) -> int:
    console.say("meshops: " + " ".join(message.split()))
    return code


if __name__ == "__main__":
    sys.exit(main())
