import Arguments
import FieldpostAgent

/// What `pub` and `request` publish, with mosquitto_pub's options.
struct ContentArguments: ParsableArguments {
    @Option(name: .shortAndLong, parsing: .unconditional, help: "The message.")
    var message: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The file that is the message.", completion: .file())
    var file: String?

    @Flag(name: .shortAndLong, help: "Standard input is the message.")
    var stdinFile = false

    @Flag(name: .shortAndLong, help: "The message has no payload; retained, it removes what is retained.")
    var nullMessage = false

    var contents: [Content] {
        var contents: [Content] = []
        if let message { contents.append(.text(message)) }
        if let file { contents.append(.file(file)) }
        if stdinFile { contents.append(.standardInput) }
        if nullMessage { contents.append(.nothing) }
        return contents
    }
}
