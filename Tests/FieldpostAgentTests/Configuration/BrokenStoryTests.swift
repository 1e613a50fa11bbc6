import FieldpostAgent
import Settings
import Testing

/// What `fieldpost check` says of alarms, computed sensors, uplinks and commands that cannot be meant: where, what, and what
/// would mend it.
@Suite struct BrokenStoryTests {
    private static let sensors = """
        [broker]
        servers = ["mqtt://localhost"]
        [[sensor]]
        name = "distance"
        driver = "file"
        path = "/run/distance"
        [[sensor]]
        name = "gate"
        driver = "file"
        path = "/run/gate"
        writable = true
        """

    /// - Parameter text: stands behind the broker and two sensors, from line 12 on.
    private func answer(_ text: String) -> String {
        do {
            let result = try AgentConfiguration.read(
                (Self.sensors + "\n" + text).utf8, path: "bins.toml", environment: [:], hostName: "bin-7")
            return result.warnings.map { $0.line(file: "bins.toml") }.joined(separator: "\n")
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        (
            #"""
            [commands]
            """#,
            #"""
            bins.toml:12:1: commands.allow: is missing: write the commands that may come, as allow = ["read", "status"]
            """#
        ),
        (
            #"""
            [commands]
            allow = []
            """#,
            #"""
            bins.toml:13:9: commands.allow: is empty: write commands into it, or leave [commands] out
            """#
        ),
        (
            #"""
            [commands]
            allow = ["raed"]
            """#,
            #"""
            bins.toml:13:9: commands.allow: "raed" is no command: did you mean "read"?
            """#
        ),
        (
            #"""
            [commands]
            allow = ["launch"]
            """#,
            #"""
            bins.toml:13:9: commands.allow: "launch" is no command: there are read, set, interval, calibrate, acknowledge, status, reload, run
            """#
        ),
        (
            #"""
            [commands]
            allow = ["set"]
            outputs = ["distance"]
            """#,
            #"""
            bins.toml:14:11: commands.outputs: sensor "distance" cannot be set: it is no output: name sensors whose driver can be set: gpio with direction = "output", pwm, led, file
            """#
        ),
        (
            #"""
            [commands]
            allow = ["set"]
            outputs = ["gaet"]
            """#,
            #"""
            bins.toml:14:11: commands.outputs: there is no sensor "gaet": name sensors whose driver can be set: gpio with direction = "output", pwm, led, file
            """#
        ),
        (
            #"""
            [commands]
            allow = ["run"]
            """#,
            #"""
            bins.toml:13:9: commands.allow: "run" is allowed, and there is no program: write them under [[commands.program]]
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            deadline = "0s"
            """#,
            #"""
            bins.toml:14:12: commands.deadline: 0s is out of range: allowed is 100ms to 5m
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a/{id}"
            responses = "b"
            """#,
            #"""
            bins.toml:16:13: commands.exchange[1].responses: {id} stands in only one of requests and responses
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a"
            responses = "a"
            """#,
            #"""
            bins.toml:16:13: commands.exchange[1].responses: is the same as requests: answers would be requests
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a/+"
            responses = "b/{id}"
            """#,
            #"""
            bins.toml:15:12: commands.exchange[1].requests: "a/+" is no topic, with {id} as one of its levels at most: write it as requests = "gate/request/{id}"
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a/{id}"
            """#,
            #"""
            bins.toml:14:1: commands.exchange[1].responses: is missing: write it as responses = "gate/response/{id}"
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a"
            responses = "b"
            words = { open = { command = "set", sensor = "gate", value = true } }
            """#,
            #"""
            bins.toml:17:9: commands.exchange[1].words: "open": "set" is not allowed: write it into allow
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a"
            responses = "b"
            words = { open = { command = "opne" } }
            """#,
            #"""
            bins.toml:17:9: commands.exchange[1].words: "open": there is no command "opne"; there are read, set, interval, calibrate, acknowledge, status, reload, run
            """#
        ),
        (
            #"""
            [commands]
            allow = ["read"]
            [[commands.exchange]]
            requests = "a"
            responses = "b"
            words = { level = { command = "read", sensor = "radar" } }
            """#,
            #"""
            bins.toml:17:9: commands.exchange[1].words: "level": there is no sensor "radar": name one under [[sensor]]
            """#
        ),
        (
            #"""
            [[alarm]]
            name = "full"
            sensor = "fill"
            raise_above = 85
            """#,
            #"""
            bins.toml:14:10: alarm[1].sensor: there is no sensor "fill": name one under [[sensor]]
            """#
        ),
        (
            #"""
            [[alarm]]
            name = "full"
            sensor = "distance"
            """#,
            #"""
            bins.toml:12:1: alarm[1].raise_above: has no condition: write raise_above, raise_below, equals or on_failure = true
            """#
        ),
        (
            #"""
            [[alarm]]
            name = "full"
            sensor = "distance"
            raise_above = 20
            clear_below = 85
            """#,
            #"""
            bins.toml:16:15: alarm[1].clear_below: lies where raise_above raises the alarm: write a number up to 20
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            expression = "b + 1"
            [[sensor]]
            name = "b"
            expression = "a + 1"
            """#,
            #"""
            bins.toml:14:14: sensor[3].expression: is derived from itself: a → b → a: take one of them out of the other's expression
            bins.toml:17:14: sensor[4].expression: is derived from itself: b → a → b: take one of them out of the other's expression
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            expression = "sqrt(-1)"
            """#,
            #"""
            bins.toml:14:14: sensor[3].expression: names no sensor: it would never be worked out: write the name of at least one into it
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            expression = "a + broken"
            [[sensor]]
            name = "broken"
            driver = "thermal"
            every = "never"
            """#,
            #"""
            bins.toml:14:14: sensor[3].expression: is derived from itself: a → a: take one of them out of the other's expression
            bins.toml:18:9: sensor[4].every: "never" is no duration: write one like "30s", "1m30s" or "250ms"
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            expression = "distanse / 2"
            """#,
            #"""
            bins.toml:14:14: sensor[3].expression: at character 1 of the expression: there is no sensor "distanse": did you mean "distance"? (possible are distance, gate, a)
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            expression = "distance /"
            """#,
            #"""
            bins.toml:14:14: sensor[3].expression: at character 11: the expression ends where a value should be
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            expression = "distance"
            safe_after = "1s"
            """#,
            #"""
            bins.toml:15:14: sensor[3].safe_after: sensor "a" has no safe state: it is no output: leave it out
            """#
        ),
        (
            #"""
            [[sensor]]
            name = "a"
            driver = "file"
            path = "/a"
            safe_after = "1s"
            """#,
            #"""
            bins.toml:16:14: sensor[3].safe_after: sensor "a" has no safe state: it is no output: leave it out
            """#
        ),
        (
            #"""
            [[uplink]]
            profile = "homeassistant"
            [[uplink]]
            profile = "homeassistant"
            name = "other"
            topic = "{device}/{sensor}"
            """#,
            #"""
            bins.toml:12:1: uplink: "homeassistant" and "other" would both announce the board under homeassistant/, and take away each other's sensors: leave one of them out, or give it another discovery_prefix
            """#
        ),
        (
            #"""
            [[uplink]]
            [[uplink]]
            name = "other"
            """#,
            #"""
            bins.toml:12:1: uplink: "plain" and "other" would both send each reading to fieldpost/{device}/{sensor}: leave one of them out ("homeassistant" sends what "plain" does), or give it another topic
            """#
        ),
        (
            #"""
            [[uplink]]
            name = "a"
            [[uplink]]
            name = "a"
            profile = "senml"
            """#,
            #"""
            bins.toml:15:8: uplink[2].name: "a" is the name of uplink[1] too: give each uplink its own, as name = "second"
            """#
        ),
        (
            #"""
            [[uplink]]
            profile = "smoke"
            """#,
            #"""
            bins.toml:13:11: uplink[1].profile: "smoke" is not possible: possible are plain, senml, homeassistant, onenet, sparkplug
            """#
        ),
        (
            #"""
            [commands]
            allow = ["set"]
            [[commands.exchange]]
            requests = "a"
            responses = "b"
            words = { open = { command = "set", sensor = "distance", value = true } }
            """#,
            #"""
            bins.toml:17:9: commands.exchange[1].words: "open": sensor "distance" cannot be set: it is no output
            """#
        ),
    ])
    func eachHasItsPlaceAndItsMend(text: String, expected: String) {
        #expect(answer(text) == expected)
    }
}
