"""The group of all commands: their order, their former names, and what a name that is none is answered with."""

from __future__ import annotations

import click

from wpoflow.core.text import did_you_mean
from wpoflow.options import debug_option

FORMER_NAMES = {"bend": "limits"}
LONGEST_SENTENCE = 1000


class Commands(click.Group):
    """Commands in the order of their declaration; an unknown one is answered with the choices."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Every command takes ``--debug``, its last option."""
        super().add_command(debug_option(cmd), name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of declaration."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name or by a former one."""
        return super().get_command(ctx, FORMER_NAMES.get(cmd_name, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and first sentences, which are wrapped and never cut."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(LONGEST_SENTENCE)) for name, command in self.commands.items()]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = did_you_mean(args[0], self.commands)
            raise click.UsageError(f"{args[0]!r} is not a command; choose among {', '.join(self.commands)}{near}")
        return super().resolve_command(ctx, args)
