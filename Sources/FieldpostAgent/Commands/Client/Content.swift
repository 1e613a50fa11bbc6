internal import NIOCore
internal import Units

/// Where the payload of what a command publishes comes from.
public enum Content: Sendable, Hashable {
    case text(String)
    case file(String)
    /// Standard input as one message.
    case standardInput
    /// Each line of standard input a message.
    case lines
    case nothing

    /// - Parameter options: those that give a content.
    init(only contents: [Content], of options: String) throws(InvalidText) {
        guard contents.count == 1, let content = contents.first else {
            throw InvalidText(
                contents.isEmpty ? "there is nothing to publish" : "there is more than one thing to publish",
                mend: "give one of \(options)")
        }
        self = content
    }

    /// What is to be read; nil when there is nothing to read.
    func open() throws(CommandFailure) -> Input? {
        switch self {
        case .file(let path): try Input(file: path)
        case .standardInput, .lines: try Input(file: nil)
        case .text, .nothing: nil
        }
    }

    /// - Parameter input: what ``open()`` gave.
    func payload(from input: Input?) async throws -> ByteBuffer {
        if case .text(let text) = self { return ByteBuffer(string: text) }
        guard let input else { return ByteBuffer() }
        let payload = try await input.readAll()
        // An empty message is more likely the end of a broken pipeline, and with -r it would delete.
        if self == .standardInput, payload.readableBytes == 0 {
            throw CommandFailure(.inputOutput, "standard input is empty; -n publishes an empty message")
        }
        return payload
    }
}
