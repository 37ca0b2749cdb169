"""Reference of the command line, from the commands themselves."""

from __future__ import annotations

import inspect

import click

from wpoflow.cli import cli


def cell(text: str) -> str:
    """Text in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def markdown() -> str:
    """A section for every command: usage, what it does, its options."""
    top = click.Context(cli, info_name="wpoflow")
    return "\n".join(line for name in cli.list_commands(top) for line in _section(cli.commands[name], top))


def _section(command: click.Command, top: click.Context) -> list[str]:
    context = click.Context(command, info_name=command.name, parent=top)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    rows = []
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "debug":  # which is said once, of all
            names = ", ".join(f"`{spelling}`" for spelling in (*option.opts, *option.secondary_opts))
            value = "" if option.is_flag else f" `{option.make_metavar(context)}`"
            rows.append(f"| {names}{value} | {cell(_help(option, context))} |")
    return [
        f"## wpoflow {command.name}",
        "",
        "```text",
        usage,
        "```",
        "",
        *_paragraphs(command.help or ""),
        *(["| option | |", "| --- | --- |", *rows, ""] if rows else []),
    ]


def _help(option: click.Option, context: click.Context) -> str:
    text = option.help or ""
    extra = option.get_help_extra(context) if option.show_default else {}
    return f"{text} Default {extra['default']}." if "default" in extra else text


def _paragraphs(text: str) -> list[str]:
    """Help as Markdown; what click is told not to wrap stays as it is."""
    lines = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines += ["```text", *paragraph.splitlines()[1:], "```", ""]
        else:
            lines += [_plain(" ".join(paragraph.split())), ""]
    return lines


def _plain(text: str) -> str:
    return text.replace("[", "\\[").replace("<", "\\<").replace("*", "\\*")
