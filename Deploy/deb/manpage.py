#!/usr/bin/env python3
"""Writes fieldpost(1) from what `fieldpost --experimental-dump-help` prints, which comes on standard input.

    fieldpost --experimental-dump-help | Deploy/deb/manpage.py DATE >fieldpost.1
"""

import json
import re
import sys

TAIL = r"""
.SH FILES
.TP
.I /etc/fieldpost/fieldpost.toml
the service's configuration, see
.BR fieldpost.toml (5)
.TP
.I /etc/default/fieldpost
environment of the service, for ${NAME} in the configuration; need not be there
.TP
.I /etc/credstore/fieldpost.password
the password, for root only; the service finds it as ${CREDENTIALS_DIRECTORY}/fieldpost.password
.TP
.I /var/lib/fieldpost
the offline queue
.SH SEE ALSO
.BR fieldpost.toml (5),
.BR systemctl (1),
.BR mosquitto_pub (1),
.BR mosquitto_sub (1)
"""


def text(string):
    """Escapes what troff would take for itself, and keeps minus signs that are typed."""
    string = string.replace("\\", "\\e").replace("-", "\\-")
    string = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", string)
    return re.sub(r"(?m)^([.'])", r"\\&\1", string)


def paragraphs(string):
    return "\n.PP\n".join(text(part.strip()) for part in re.split(r"\n\s*\n", string) if part.strip())


def dashed(name):
    return text(("--" if name["kind"] == "long" else "-") + name["name"])


def is_common(argument):
    """Every command has --help and --version; they stand once, at the top."""
    return {name["name"] for name in argument.get("names", [])} & {"help", "version"}


def head(argument):
    value = r"\fI" + text(argument.get("valueName", "")) + r"\fR"
    if argument["kind"] == "positional":
        return value
    names = ", ".join(rf"\fB{dashed(name)}\fR" for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} {value}"


def synopsis(path, arguments):
    words = [rf"\fB{text(path)}\fR"]
    options = False
    for argument in arguments:
        if argument["kind"] == "positional" or not argument["isOptional"]:
            word = head({**argument, "names": [argument["preferredName"]]} if "preferredName" in argument else argument)
            word += " ..." if argument["isRepeating"] else ""
            words.append(f"[{word}]" if argument["isOptional"] else word)
        else:
            options = True
    if options:
        words.insert(1, r"[\fIoption\fR ...]")
    return " ".join(words)


def options(arguments):
    """A list of them; a switch and its opposite, which have one help, stand together."""
    entries = []
    for argument in arguments:
        about = " ".join(argument.get(key, "") for key in ("abstract", "discussion")).strip()
        if argument.get("defaultValue"):
            about += f" Default: {argument['defaultValue']}."
        if entries and entries[-1][1] == about:
            entries[-1][0] += ", " + head(argument)
        else:
            entries.append([head(argument), about])
    return [f".TP\n{heads}\n{paragraphs(about)}" for heads, about in entries]


def visible(items):
    return [item for item in items if item.get("shouldDisplay", True)]


def command(node, path, output):
    """A section for each command that does something, its options below."""
    children = [child for child in visible(node.get("subcommands", [])) if child["commandName"] != "help"]
    arguments = [argument for argument in visible(node.get("arguments", [])) if not is_common(argument)]
    if not children:
        output.append(f'.SS "{text(path)}"\n{synopsis(path, arguments)}')
        output += [".PP\n" + paragraphs(node[key]) for key in ("abstract", "discussion") if node.get(key)]
        output += options(arguments)
    for child in children:
        command(child, f"{path} {child['commandName']}", output)


def main():
    root = json.load(sys.stdin)["command"]
    output = [
        f'.TH FIELDPOST 1 "{sys.argv[1]}" "" "Fieldpost"',
        f'.SH NAME\nfieldpost \\- {text(root["abstract"].rstrip(".").replace("Reads", "reads", 1))}',
        ".SH SYNOPSIS\n.B fieldpost\n.I command\n.RI [ option \" ...]\"",
        ".SH DESCRIPTION\n" + paragraphs(root.get("discussion", "")),
        ".SH OPTIONS",
        *options([argument for argument in root["arguments"] if is_common(argument)]),
        ".SH COMMANDS",
    ]
    for child in visible(root["subcommands"]):
        if child["commandName"] != "help":
            command(child, f"fieldpost {child['commandName']}", output)
    sys.stdout.write("\n".join(output) + TAIL)


main()
