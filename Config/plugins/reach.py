#!/usr/bin/env python3
"""reach.py: are other machines there, and how fast do they answer? A plugin for Fieldpost.

    [[sensor]]
    name = "network"
    driver = "plugin"
    command = ["/usr/bin/python3", "/usr/local/lib/fieldpost/reach.py"]
    options = { targets = { router = "192.168.1.1:80", camera = "192.168.1.20:554" }, watch = 5 }
    every = "1m"

Options:
    targets  a table of names and HOST:PORT; each is a channel
    wait     how many seconds a target may take to answer (0.1 to 10; default 1)
    watch    seconds between looks of its own, which are told of only when something changes (0 for none; default 0)

It shows all that a plugin can do: options that it checks, readings, events of its own, a value that can be set, and
errors. README.md beside this file describes the messages.
"""

import json
import socket
import sys
import threading
import time

say_lock = threading.Lock()


def say(**message):
    """Prints a message: one line, at once, and never two threads' mixed."""
    with say_lock:
        print(json.dumps(message, ensure_ascii=False), flush=True)


def log(text):
    """What is written on standard error goes to the agent's log. Standard output is for messages only."""
    print(text, file=sys.stderr, flush=True)


class Reach:
    def __init__(self):
        self.targets = {}
        self.wait = 1.0
        self.watch = 0.0
        self.changed = threading.Event()
        self.up = {}

    def configure(self, options):
        """Takes the options over; what is wrong with them is returned, all of it."""
        problems = []
        for name in options:
            if name not in ("targets", "wait", "watch"):
                problems.append({"option": name, "message": "is unknown", "mend": "known are targets, wait and watch"})
        targets = options.get("targets")
        if not isinstance(targets, dict) or not targets:
            problems.append({"option": "targets", "message": "is missing",
                             "mend": 'write targets = { router = "192.168.1.1:80" }'})
            targets = {}
        for name, address in targets.items():
            host, _, port = str(address).rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                problems.append({"option": f"targets.{name}", "message": f'"{address}" is no HOST:PORT'})
            else:
                self.targets[name] = (host, int(port))
        self.wait = options.get("wait", 1.0)
        if not is_number(self.wait) or not 0.1 <= self.wait <= 10:
            problems.append({"option": "wait", "message": "is no number from 0.1 to 10"})
        self.watch = options.get("watch", 0)
        if not is_number(self.watch) or self.watch < 0:
            problems.append({"option": "watch", "message": "is no number of seconds"})
        return problems

    def look(self, name):
        """One target's reading: the time for a connection, in milliseconds, or why there is none."""
        began = time.monotonic()
        try:
            socket.create_connection(self.targets[name], timeout=self.wait).close()
        except OSError as error:
            # A reading without a value is a failure of its channel alone.
            return {"channel": name, "value": None, "reason": str(error)}
        return {"channel": name, "value": round((time.monotonic() - began) * 1000, 3), "unit": "ms"}

    def read(self):
        """All targets at once, so that one that is away does not take the time of the others."""
        readings = [None] * len(self.targets)

        def look(index, name):
            readings[index] = self.look(name)

        threads = [threading.Thread(target=look, args=pair) for pair in enumerate(self.targets)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return readings

    def keep_watch(self):
        """Tells by itself when a target comes or goes."""
        while True:
            self.changed.wait(self.watch or None)
            self.changed.clear()
            if not self.watch:
                continue
            for reading in self.read():
                name, is_up = reading["channel"], reading["value"] is not None
                if self.up.get(name) != is_up:
                    self.up[name] = is_up
                    say(type="event", readings=[
                        # When it was seen, in milliseconds since 1970; without a time it is when the agent heard of it.
                        {"channel": f"{name}.up", "value": is_up, "time": int(time.time() * 1000)}])

    def set(self, channel, value):
        """Returns the readings that show the new state."""
        if channel != "watch" or not is_number(value) or value < 0:
            raise ValueError('only "watch" can be set, to a number of seconds')
        self.watch = value
        self.changed.set()
        return [{"channel": "watch", "value": value, "unit": "s"}]


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def main():
    reach = Reach()
    # The input ends when the agent does; the loop, and with it the plugin, ends then too.
    for line in sys.stdin:
        question = json.loads(line)
        kind, number = question["type"], question["id"]
        try:
            if kind == "describe":
                say(type="describe", id=number, protocol=1, name="reach", version="1.0", sets=True)
            elif kind == "configure":
                problems = reach.configure(question["options"])
                say(type="configure", id=number, problems=problems)
                if not problems:
                    log(f"looks after {len(reach.targets)} targets")
                    threading.Thread(target=reach.keep_watch, daemon=True).start()
            elif kind == "read":
                say(type="read", id=number, readings=reach.read())
            elif kind == "set":
                say(type="set", id=number, readings=reach.set(question.get("channel"), question["value"]))
            else:
                say(type="error", id=number, message=f"{kind} is unknown here")
        except ValueError as error:
            say(type="error", id=number, kind="rejected", message=str(error))


main()
