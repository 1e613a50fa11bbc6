import Arguments
import FieldpostAgent

/// How `sub` and `request` print messages, with mosquitto_sub's options.
struct OutputArguments: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Print topics before payloads.")
    var verbose = false

    @Option(
        name: [.customShort("F"), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "How to print a message.",
            discussion: """
                %t topic, %p payload, %x and %X payload in hexadecimal, %l its length, %q QoS, %r retained, %I and %U \
                time, %j everything as JSON, %J with a payload that is JSON itself; of 5.0 %A topic alias, %C content type, %D correlation data, %E expiry, \
                %F payload format, %P user properties, %R response topic, %S subscription identifier; %10t and %-10.10t \
                set widths; @X is %X of strftime, @N nanoseconds; \\n, \\t, \\0, \\e and the like.
                """))
    var outputFormat: String?

    @Flag(help: "With -F, set %j and %J over several lines.")
    var pretty = false

    @Flag(name: .customShort("N"), help: "End no lines.")
    var noLineFeed = false

    var options: OutputOptions {
        var options = OutputOptions()
        options.showsTopics = verbose
        options.endsLines = !noLineFeed
        options.format = outputFormat
        options.isPretty = pretty
        return options
    }
}
