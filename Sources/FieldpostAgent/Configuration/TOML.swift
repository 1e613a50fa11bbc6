internal import CTOML
public import Settings

/// Why a text is no TOML.
public struct TOMLError: Error, Hashable {
    public var message: String
    public var mend: String?
    public var position: SourcePosition

    /// - Parameter message: as toml++ gives it: `Error while parsing decimal integer: expected digit, saw 's'`.
    fileprivate init(toml message: String, position: SourcePosition) {
        self.message = "no TOML: \(message)"
        self.position = position
        guard message.hasPrefix("Error while parsing "), let (thing, error) = message.dropFirst(20).split(at: ": ")
        else { return }
        self.message = "no TOML (\(thing)): \(error)"
        if ["value", "boolean", "decimal integer", "floating-point"].contains(thing) {
            mend = #"a value with letters stands in quotes, as in "10s""#
        }
    }
}

/// Reads a TOML 1.0 document into settings, its tables in the document's order.
public func parseTOML(_ text: some Sequence<UInt8>) throws(TOMLError) -> Table {
    let document = Array(text).withUnsafeBytes { bytes in
        ctoml_parse(bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
    }
    defer { ctoml_free(document) }
    guard let document, let nodes = document.pointee.nodes else {
        let error = document.map { String($0.pointee.error) } ?? "out of memory"
        let place = document.map { SourcePosition($0.pointee.error_place) } ?? SourcePosition(line: 1, column: 1)
        throw TOMLError(toml: error, position: place)
    }
    var rest = UnsafeBufferPointer(start: nodes, count: document.pointee.count)[...]
    guard case .table(let table)? = Value(takingFrom: &rest)?.kind else { return Table() }
    return table
}

extension Value {
    /// Takes a node, and all that is in it, from the front of `nodes`. The parser bounds the depth.
    fileprivate init?(takingFrom nodes: inout Slice<UnsafeBufferPointer<ctoml_node>>) {
        guard let node = nodes.popFirst() else { return nil }
        let kind: Kind
        switch node.type {
        case CTOML_TABLE:
            var entries: [Table.Entry] = []
            for _ in 0..<node.children {
                guard let first = nodes.first, let value = Value(takingFrom: &nodes) else { break }
                entries.append(
                    Table.Entry(key: String(first.key), keyPosition: SourcePosition(first.key_place), value: value))
            }
            // toml++ sorts by key.
            entries.sort { ($0.keyPosition.line, $0.keyPosition.column) < ($1.keyPosition.line, $1.keyPosition.column) }
            kind = .table(Table(entries))
        case CTOML_ARRAY:
            var elements: [Value] = []
            for _ in 0..<node.children {
                guard let element = Value(takingFrom: &nodes) else { break }
                elements.append(element)
            }
            kind = .array(elements)
        case CTOML_STRING: kind = .string(String(node.text))
        case CTOML_INTEGER: kind = .integer(node.integer)
        case CTOML_FLOAT: kind = .number(node.number)
        case CTOML_BOOLEAN: kind = .boolean(node.boolean)
        default: kind = .date(String(node.text))
        }
        self.init(kind, at: SourcePosition(node.place))
    }
}

extension SourcePosition {
    fileprivate init(_ place: ctoml_place) { self.init(line: Int(place.line), column: Int(place.column)) }
}

extension String {
    fileprivate init(_ text: ctoml_text) {
        self.init(decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.count), as: UTF8.self)
    }
}
