"""Paho clients that live through the deaths of their broker.

    kill_clients.py publish|subscribe PORT 3|5 NAME [MILLISECONDS]

Both have a session that outlives connections, and connect again at once. The publisher numbers messages to
kill/NAME/1 (QoS 1) and kill/NAME/2 (QoS 2), a pair every so many milliseconds; after SIGTERM it waits until all are
acknowledged, prints "done" with the last number and ends. The subscriber prints "QOS NUMBER" for each. Both say
"ready" when they are, and "lost" when the broker has forgotten their session.

One thread and Paho's own loop, so that nothing is published between a new connection and what Paho repeats on it,
which would overtake what is older.
"""

import signal
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

# Paho 1.6 forgets its limit of messages in flight when it connects again: it must not have more than the broker takes.
WINDOW = 10


class Paho(mqtt.Client):
    """Paho 1.6.1 with one fault mended, for which no broker can be blamed."""

    def _messages_reconnect_reset_out(self):
        # When an attempt to connect fails, the next one finds messages that PUBREC has come for in a state that it does
        # not know, and publishes them anew, without DUP, where PUBREL is due.
        with self._out_message_mutex:
            for message in self._out_messages.values():
                if message.state == mqtt.mqtt_ms_resend_pubrel:
                    message.state = mqtt.mqtt_ms_wait_for_pubcomp
        super()._messages_reconnect_reset_out()


class Client:
    def __init__(self, role, port, version, name):
        self.role, self.port, self.version, self.name = role, port, version, name
        self.is_up = False
        self.is_ready = False
        self.connections = 0
        self.stopping = False
        self.acknowledged = 0
        identifier = f"{role}-{name}"
        if version == 5:
            self.paho = Paho(identifier, protocol=mqtt.MQTTv5)
        else:
            self.paho = Paho(identifier, protocol=mqtt.MQTTv311, clean_session=False)
        self.paho.on_connect = self.on_connect
        self.paho.on_disconnect = self.on_disconnect
        self.paho.on_subscribe = lambda *_: self.ready()
        self.paho.on_publish = self.on_publish
        self.paho.on_message = self.on_message

    def connect(self):
        if self.version == 5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600
            self.paho.connect("127.0.0.1", self.port, clean_start=False, properties=properties)
        else:
            self.paho.connect("127.0.0.1", self.port)

    def on_connect(self, client, userdata, flags, code, properties=None):
        if (code if isinstance(code, int) else code.value) != 0:
            print("refused", code, flush=True)
            return
        self.is_up = True
        self.connections += 1
        if self.is_ready and not flags["session present"]:
            print("lost", flush=True)
        if self.role == "publish":
            self.ready()
        elif not self.is_ready:
            self.paho.subscribe(f"kill/{self.name}/+", 2)

    def ready(self):
        if not self.is_ready:
            self.is_ready = True
            print("ready", flush=True)

    def on_disconnect(self, *_):
        self.is_up = False

    def on_publish(self, client, userdata, mid):
        self.acknowledged += 1

    def on_message(self, client, userdata, message):
        print(message.topic[-1], message.payload.decode(), flush=True)

    def stay_connected(self, seconds):
        """One turn of the loop; connects if need be. Every failure of the network is normal here."""
        try:
            if self.paho.loop(seconds) != mqtt.MQTT_ERR_SUCCESS:
                self.is_up = False
                time.sleep(0.01)
                self.connect()
        except OSError:
            self.is_up = False
            time.sleep(0.01)

    def stop(self, *_):
        self.stopping = True

    def run(self, interval):
        signal.signal(signal.SIGTERM, self.stop)
        number = 0
        due = time.monotonic()
        while True:
            self.stay_connected(0.002)
            if self.stopping and (self.role == "subscribe" or self.acknowledged == 2 * number):
                break
            if self.role == "subscribe" or self.stopping or not self.is_up:
                continue
            if time.monotonic() >= due and 2 * number - self.acknowledged <= WINDOW - 2:
                number += 1
                due = max(due + interval, time.monotonic())
                for qos in (1, 2):
                    self.paho.publish(f"kill/{self.name}/{qos}", str(number), qos)
        print("done", number, self.connections, flush=True)


role, port, version, name = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
Client(role, port, version, name).run(int(sys.argv[5]) / 1000 if len(sys.argv) > 5 else 0.01)
