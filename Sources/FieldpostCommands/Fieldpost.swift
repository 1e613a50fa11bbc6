import Arguments
import FieldpostAgent

struct Fieldpost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fieldpost",
        abstract: "Reads a board's sensors and gets every reading to an MQTT broker: late if it must, never lost.",
        discussion: """
            Begin with `fieldpost demo`, which needs no set-up. For a board of your own, let `fieldpost setup` write a \
            configuration (one table for each sensor), look at it with `fieldpost check` and `fieldpost read`, and let \
            `fieldpost run` do the rest.

            Exit codes: 0 done, 1 a negative answer, 27 no time left (sub -W, request), 64 usage, 69 broker not reachable, 74 input or output failed, 78 \
            configuration.
            """,
        version: FieldpostVersion.string,
        subcommands: [
            Setup.self, Run.self, Check.self, Sensors.self, Read.self, Queue.self, Broker.self, Pub.self, Sub.self,
            Request.self, Dispatch.self, Demo.self, Version.self,
        ])
}
