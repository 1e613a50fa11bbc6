"""Decodes SenML packs and resolves them, after RFC 8428 and without a look at the encoder.

Input: a file with a pack a line, "json TEXT" or "cbor HEX". Output: for each line the list of its resolved records.
CBOR is decoded by python3-cbor2; that it is deterministic (RFC 8949, section 4.2.1) is checked by encoding it again.
"""

import json
import re
import sys

LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
          0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*\Z")
VALUES = ("v", "vs", "vb", "vd")
TYPES = {"bn": str, "n": str, "u": str, "vs": str, "vb": bool, "bu": str}
# The registry's units that are no secondary ones and not advised against (RFC 8428 and RFC 8798).
UNITS = set("""m kg s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 m/s m/s2 m3/s W/m2
    cd/m2 bit bit/s lat lon pH dB dBW count / %RH %EL EL 1/s S/m B VA VAs var vars J/m kg/m3""".split())


def resolve(pack):
    assert isinstance(pack, list) and pack
    base = {"bn": "", "bt": 0, "bu": None, "bv": 0, "bs": None}
    resolved = []
    for record in pack:
        for name, value in record.items():
            assert isinstance(value, TYPES.get(name, (int, float))), (name, value)
            assert not isinstance(value, bool) or name == "vb", (name, value)
        assert record.get("bver", 10) == 10
        base.update({name: record[name] for name in base if name in record})
        values = [name for name in VALUES if name in record]
        assert len(values) == 1 and "s" not in record, record
        name = base["bn"] + record.get("n", "")
        assert NAME.match(name), name
        result = {"n": name, values[0]: record[values[0]]}
        unit = record.get("u", base["bu"])
        if unit is not None:
            assert unit in UNITS, unit
            result["u"] = unit
        if values[0] == "v":
            result["v"] += base["bv"]
        time = base["bt"] + record.get("t", 0)
        assert time == 0 or time >= 2 ** 28, "a time relative to now: %s" % time
        if time:
            result["t"] = round(time, 3)
        resolved.append(result)
    return resolved


def decode(line):
    encoding, text = line.split(" ", 1)
    if encoding == "json":
        return json.loads(text)
    import cbor2
    data = bytes.fromhex(text)
    pack = cbor2.loads(data)
    assert cbor2.dumps(pack, canonical=True).hex() == data.hex(), "not deterministic"
    return [{LABELS[label]: value for label, value in record.items()} for record in pack]


with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        print(json.dumps(resolve(decode(line.rstrip("\n"))), ensure_ascii=False))
