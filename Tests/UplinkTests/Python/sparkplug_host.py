"""A Sparkplug host application on pysparkplug, for the tests of an Edge Node.

    sparkplug_host.py listen PORT
        prints what it sees of all nodes, decoded and checked, one line each
    sparkplug_host.py command PORT TOPIC NAME TYPE VALUE
        sends a command of one metric, as in: command 1883 spBv1.0/g/NCMD/n "Node Control/Rebirth" BOOLEAN true
    sparkplug_host.py state PORT HOST true|false TIMESTAMP
        publishes a primary host's state, retained
"""

import json
import sys

import paho.mqtt.client as mqtt
import pysparkplug as psp
from pysparkplug._protobuf import Payload as Raw

QUALITY = {0: "bad", 192: "good", 500: "stale"}


def say(text):
    print(text, flush=True)


class Host:
    """Follows one server's nodes by the rules of the specification, §5.6 and §5.12."""

    def __init__(self):
        self.births = {}  # by topic without the verb
        self.seq = {}
        self.bd_seq = {}

    def properties(self, raw):
        """By metric's name and place; pysparkplug does not read them, its generated schema does."""
        return [
            {
                key: (value.int_value if value.type == 3 else value.string_value)
                for key, value in zip(metric.properties.keys, metric.properties.values)
            }
            for metric in Raw.FromString(raw).metrics
        ]

    def metric(self, metric, properties):
        text = f"{'old:' if metric.is_historical else ''}{metric.name}="
        value = metric.value
        if isinstance(value, str) and len(value) > 100:
            value = f"{len(value)} characters"
        text += "null" if metric.is_null else json.dumps(value, ensure_ascii=False)
        if properties.get("engUnit"):
            text += properties["engUnit"]
        if properties.get("Quality", 192) != 192:
            text += f"!{QUALITY[properties['Quality']]}"
        return text

    def receive(self, topic, raw):
        _, group, verb, *place = topic.split("/")
        if group == "STATE":
            return None
        node = f"{group}/{place[0]}"
        where = f"{group}/{'/'.join(place)}"
        if verb == "NDEATH":
            number = psp.NDeath.decode(raw).bd_seq_metric.value
            if self.bd_seq.get(node) != number or node not in self.seq:
                return say(f"NDEATH of another session, bdSeq={number}")
            del self.seq[node]
            return say(f"NDEATH bdSeq={number}")
        if verb == "DDEATH":
            payload = psp.DDeath.decode(raw)
            metrics = ()
        elif verb in ("NBIRTH", "DBIRTH"):
            payload = (psp.NBirth if verb == "NBIRTH" else psp.DBirth).decode(raw)
            self.births[where] = payload
            metrics = payload.metrics
            if verb == "NBIRTH":
                self.bd_seq[node] = next(m.value for m in metrics if m.name == "bdSeq")
                self.seq[node] = 255
        elif verb in ("NDATA", "DDATA"):
            if node not in self.seq:
                return say(f"{verb} of a node that is offline")
            payload = (psp.NData if verb == "NDATA" else psp.DData).decode(raw, birth=self.births[where])
            metrics = payload.metrics
        else:
            return None
        self.seq[node] = (self.seq[node] + 1) % 256
        gap = "" if payload.seq == self.seq[node] else f" GAP {self.seq[node]}"
        self.seq[node] = payload.seq
        words = [self.metric(m, p) for m, p in zip(metrics, self.properties(raw)) if m.name != "Node Control/Rebirth"]
        device = f":{place[1]}" if len(place) > 1 else ""
        return say(" ".join([f"{verb}{device}{gap} {payload.seq}", *words]))


def listen(client):
    host = Host()

    def message(client, userdata, message):
        try:
            host.receive(message.topic, message.payload)
        except Exception as error:  # pylint: disable=broad-except
            say(f"ERROR {message.topic}: {error!r}")

    def connected(client, userdata, flags, code):
        client.subscribe("spBv1.0/#", qos=1)

    client.on_message = message
    client.on_connect = connected
    client.on_subscribe = lambda *_: say("LISTENING")
    client.reconnect_delay_set(min_delay=1, max_delay=1)
    client.connect("127.0.0.1", int(sys.argv[2]), keepalive=10)
    client.loop_forever()


def publish(client, topic, payload, retain=False):
    client.connect("127.0.0.1", int(sys.argv[2]))
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()


def command(client):
    topic, name, kind, value = sys.argv[3:7]
    now = psp.get_current_timestamp()
    metric = psp.Metric(timestamp=now, name=name, datatype=psp.DataType[kind], value=json.loads(value))
    payload = (psp.NCmd if "/NCMD/" in topic else psp.DCmd)(timestamp=now, metrics=(metric,))
    publish(client, topic, payload.encode(include_dtypes=True))


def state(client):
    host, online, timestamp = sys.argv[3:6]
    payload = psp.State(timestamp=int(timestamp), online=json.loads(online)).encode()
    publish(client, f"spBv1.0/STATE/{host}", payload, retain=True)


if __name__ == "__main__":
    {"listen": listen, "command": command, "state": state}[sys.argv[1]](mqtt.Client(clean_session=True))
