"""Renders templates as Home Assistant does, with Debian's python3-jinja2.

Input: a file with a JSON object a line: {"template": …, "payload": …}, or {"template": …, "value": …} for a command.
Output: for each line the text, as JSON.
"""

import json
import sys

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)

with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        case = json.loads(line)
        names = {"this": {"state": "before"}}
        if "value" in case:
            names["value"] = case["value"]
        else:
            names["value"] = case["payload"]
            try:
                names["value_json"] = json.loads(case["payload"])
            except ValueError:
                pass
        print(json.dumps(environment.from_string(case["template"]).render(names)))
