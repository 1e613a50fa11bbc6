#!/bin/sh
# load.sh: the board's load, as a plugin in a dozen lines of shell.
#
#     [[sensor]]
#     name = "load"
#     driver = "plugin"
#     command = ["/usr/local/lib/fieldpost/load.sh"]
#     every = "30s"
#
# A plugin reads questions from its standard input, a line each, and prints its answers, a line each. README.md beside
# this file describes them all. When the agent ends, the input ends, and so does the loop.

while read -r line; do
    # The agent writes every question as {"type":"…","id":…, without blanks, so that a shell needs no JSON parser.
    id=${line#*\"id\":}
    id=${id%%[!0-9]*}

    case $line in
    '{"type":"describe"'*)
        printf '{"type":"describe","id":%s,"protocol":1,"name":"load","version":"1.0"}\n' "$id"
        ;;
    '{"type":"configure"'*)
        # No options to look at: all is well.
        printf '{"type":"configure","id":%s}\n' "$id"
        ;;
    '{"type":"read"'*)
        read -r one five fifteen rest </proc/loadavg
        printf '{"type":"read","id":%s,"readings":[' "$id"
        printf '{"channel":"1 min","value":%s},' "$one"
        printf '{"channel":"5 min","value":%s},' "$five"
        printf '{"channel":"15 min","value":%s}]}\n' "$fifteen"
        ;;
    *)
        printf '{"type":"error","id":%s,"kind":"rejected","message":"this cannot be done here"}\n' "$id"
        ;;
    esac
done
