"""Eclipse Paho's Python client, told what to do line by line: see PROTOCOL.md."""

import ssl
import sys
import threading
import zlib
from urllib.parse import quote_from_bytes, unquote_to_bytes

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCodes
from paho.mqtt.subscribeoptions import SubscribeOptions

NAMES = {
    1: "PayloadFormatIndicator", 2: "MessageExpiryInterval", 3: "ContentType", 8: "ResponseTopic",
    9: "CorrelationData", 11: "SubscriptionIdentifier", 17: "SessionExpiryInterval", 18: "AssignedClientIdentifier",
    19: "ServerKeepAlive", 21: "AuthenticationMethod", 22: "AuthenticationData", 23: "RequestProblemInformation",
    24: "WillDelayInterval", 25: "RequestResponseInformation", 26: "ResponseInformation", 28: "ServerReference",
    31: "ReasonString", 33: "ReceiveMaximum", 34: "TopicAliasMaximum", 35: "TopicAlias", 36: "MaximumQoS",
    37: "RetainAvailable", 38: "UserProperty", 39: "MaximumPacketSize", 40: "WildcardSubscriptionAvailable",
    41: "SubscriptionIdentifierAvailable", 42: "SharedSubscriptionAvailable",
}
DATA = {9, 22}
TEXT = {3, 8, 18, 21, 26, 28, 31}

output = threading.Lock()
clients = {}


def encoded(value):
    return quote_from_bytes(value if isinstance(value, bytes) else str(value).encode(), safe="/")


def say(start, fields=()):
    line = " ".join([start] + [f"{key}={value}" for key, value in fields])
    with output:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def summary(payload):
    if len(payload) > 64:
        return "digest", f"{len(payload)}:{zlib.crc32(payload):08x}"
    return "payload", encoded(payload)


def told(properties):
    """A library's properties as fields."""
    fields = []
    for identifier, name in NAMES.items():
        value = getattr(properties, name, None) if properties is not None else None
        if value is None:
            continue
        for one in value if isinstance(value, list) else [value]:
            text = encoded(one[0].encode() + b"\0" + one[1].encode()) if identifier == 38 else encoded(one)
            fields.append((f"p{identifier}", text))
    return fields


def wanted(fields, packet, letter="p"):
    """Fields as a library's properties."""
    properties = Properties(packet)
    found = False
    for key, value in fields:
        if key[0] != letter or not key[1:].isdigit():
            continue
        found = True
        identifier = int(key[1:])
        if identifier == 38:
            name, text = value.split(b"\0", 1)
            setattr(properties, NAMES[identifier], (name.decode(), text.decode()))
        elif identifier in DATA:
            setattr(properties, NAMES[identifier], value)
        elif identifier in TEXT:
            setattr(properties, NAMES[identifier], value.decode())
        else:
            setattr(properties, NAMES[identifier], int(value))
    return properties if found else None


class Client:
    def __init__(self, name, fields):
        self.name = name
        self.fields = dict(fields)
        self.version = int(self.fields.get("version", b"4"))
        self.connected = threading.Event()
        self.closed = threading.Event()
        self.answers = {}
        self.changed = threading.Condition()
        self.expected_end = False
        self.connack = None
        transport = self.fields.get("transport", b"tcp").decode()
        settings = {
            "client_id": self.fields.get("id", b"").decode(),
            "protocol": self.version,
            "transport": "websockets" if transport in ("ws", "wss") else "tcp",
        }
        if self.version < 5:
            settings["clean_session"] = self.fields.get("clean", b"1") == b"1"
        if hasattr(mqtt, "CallbackAPIVersion"):
            settings["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION1
        self.mqtt = mqtt.Client(**settings)
        if transport in ("tls", "wss"):
            self.mqtt.tls_set(
                ca_certs=self.fields["ca"].decode(),
                certfile=self.fields["cert"].decode() if "cert" in self.fields else None,
                keyfile=self.fields["key"].decode() if "key" in self.fields else None)
        if "user" in self.fields:
            self.mqtt.username_pw_set(self.fields["user"].decode(), self.fields.get("password", b"").decode())
        if "willtopic" in self.fields:
            self.mqtt.will_set(
                self.fields["willtopic"].decode(), self.fields.get("willpayload", b""),
                int(self.fields.get("willqos", b"0")), self.fields.get("willretain") == b"1",
                **({"properties": wanted(fields, PacketTypes.WILLMESSAGE, "w")} if self.version == 5 else {}))
        self.mqtt.on_connect = self.on_connect
        self.mqtt.on_disconnect = self.on_disconnect
        self.mqtt.on_message = self.on_message
        self.mqtt.on_subscribe = self.on_subscribe
        self.mqtt.on_unsubscribe = self.on_unsubscribe
        self.mqtt.reconnect_delay_set(3600, 3600)
        self.properties = wanted(fields, PacketTypes.CONNECT) if self.version == 5 else None

    def connect(self):
        extra = {}
        if self.version == 5:
            extra = {"clean_start": self.fields.get("clean", b"1") == b"1", "properties": self.properties}
        self.mqtt.connect(
            self.fields["host"].decode(), int(self.fields["port"]), int(self.fields.get("keepalive", b"60")), **extra)
        self.mqtt.loop_start()
        if not self.connected.wait(15):
            raise RuntimeError("no CONNACK")
        flags, code, properties = self.connack
        if code != 0:
            self.expected_end = True
            raise RuntimeError(f"refused: {getattr(code, 'value', code)}")
        return [("present", flags["session present"])] + told(properties)

    def on_connect(self, client, data, flags, code, properties=None):
        self.connack = (flags, code, properties)
        self.connected.set()

    def on_disconnect(self, client, data, code=0, properties=None):
        self.closed.set()
        if not self.expected_end:
            # It would connect again by itself.
            self.expected_end = True
            say(f"ended {self.name}", [("code", getattr(code, "value", code))] + told(properties))
            threading.Thread(target=client.loop_stop).start()

    def on_message(self, client, data, message):
        say(f"message {self.name}", [
            ("topic", encoded(message.topic)), ("qos", message.qos), ("retain", int(message.retain)),
            summary(message.payload)] + told(getattr(message, "properties", None)))

    def on_subscribe(self, client, data, mid, codes, properties=None):
        self.answer(mid, [getattr(code, "value", code) for code in codes])

    def on_unsubscribe(self, client, data, mid, properties=None, codes=None):
        self.answer(mid, [])

    def answer(self, mid, codes):
        with self.changed:
            self.answers[mid] = codes
            self.changed.notify_all()

    def wait(self, mid):
        with self.changed:
            if not self.changed.wait_for(lambda: mid in self.answers, 15):
                raise RuntimeError("no answer")
            return self.answers.pop(mid)

    def subscribe(self, fields):
        values = dict(fields)
        topic, qos = values["filter"].decode(), int(values.get("qos", b"0"))
        if self.version < 5:
            result, mid = self.mqtt.subscribe(topic, qos)
        else:
            options = SubscribeOptions(
                qos, noLocal=values.get("nl") == b"1", retainAsPublished=values.get("rap") == b"1",
                retainHandling=int(values.get("rh", b"0")))
            result, mid = self.mqtt.subscribe(
                topic, options=options, properties=wanted(fields, PacketTypes.SUBSCRIBE))
        if result != mqtt.MQTT_ERR_SUCCESS:
            raise RuntimeError(mqtt.error_string(result))
        return [("code", self.wait(mid)[0])]

    def unsubscribe(self, fields):
        result, mid = self.mqtt.unsubscribe(dict(fields)["filter"].decode())
        if result != mqtt.MQTT_ERR_SUCCESS:
            raise RuntimeError(mqtt.error_string(result))
        self.wait(mid)
        return []

    def publish(self, fields):
        values = dict(fields)
        payload = values.get("payload", b"")
        if "file" in values:
            with open(values["file"].decode(), "rb") as file:
                payload = file.read()
        extra = {"properties": wanted(fields, PacketTypes.PUBLISH)} if self.version == 5 else {}
        count = int(values["count"]) if "count" in values else None
        sent = [
            self.mqtt.publish(
                values["topic"].decode(), payload if count is None else str(index), int(values.get("qos", b"0")),
                values.get("retain") == b"1", **extra)
            for index in range(count or 1)
        ]
        for info in sent:
            info.wait_for_publish(30)
            if not info.is_published():
                raise RuntimeError("not acknowledged")
        return []

    def disconnect(self, fields):
        self.expected_end = True
        values = dict(fields)
        extra = {}
        if self.version == 5:
            if "reason" in values:
                extra["reasoncode"] = ReasonCodes(PacketTypes.DISCONNECT, identifier=int(values["reason"]))
            extra["properties"] = wanted(fields, PacketTypes.DISCONNECT)
        self.mqtt.disconnect(**extra)
        self.closed.wait(15)
        self.mqtt.loop_stop()
        return []


def serve(number, verb, name, fields):
    try:
        if verb == "connect":
            client = Client(name, fields)
            clients[name] = client
            answer = client.connect()
        else:
            answer = getattr(clients[name], verb)(fields)
        say(f"{number} ok", answer)
    except Exception as error:
        say(f"{number} failed", [("text", encoded(f"{type(error).__name__}: {error}"))])


for line in sys.stdin:
    number, verb, name, *rest = line.split()
    fields = [(key, unquote_to_bytes(value)) for key, _, value in (field.partition("=") for field in rest)]
    threading.Thread(target=serve, args=(number, verb, name, fields), daemon=True).start()
