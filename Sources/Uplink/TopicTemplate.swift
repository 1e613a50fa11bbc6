public import MQTTWire

/// A topic with places to be filled in: `fieldpost/{device}/{sensor}`.
///
/// The places are `{device}`, `{sensor}` and `{channel}`. A sensor's channels have names from the kernel or from a
/// configuration; characters in them that a topic level cannot hold (`/`, `+`, `#`) become `-`.
public struct TopicTemplate: Sendable, Hashable {
    public enum Place: String, Sendable, Hashable, CaseIterable {
        case device, sensor, channel
    }

    /// Why a text is no template.
    public enum Problem: Error, Sendable, Hashable, CustomStringConvertible {
        case unknownPlace(String, allowed: [Place])
        case unbalancedBrace
        case topic(TopicError)

        public var description: String {
            switch self {
            case .unknownPlace(let name, let allowed):
                "unknown place {\(name)}; there are \(allowed.map { "{\($0.rawValue)}" }.joined(separator: ", "))"
            case .unbalancedBrace: "a { without its }, or the other way round"
            case .topic(let error): "no topic: \(error)"
            }
        }
    }

    private enum Piece: Hashable, Sendable {
        case text(String)
        case place(Place)
    }

    public let string: String
    private let pieces: [Piece]

    /// - Parameter allowed: the places that can be filled where this template is used.
    public init(_ string: String, allowed: [Place] = Place.allCases) throws(Problem) {
        var pieces: [Piece] = []
        var rest = Substring(string)
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            guard rest[brace] == "{", let end = rest[brace...].firstIndex(of: "}") else { throw .unbalancedBrace }
            if brace > rest.startIndex { pieces.append(.text(String(rest[..<brace]))) }
            let name = String(rest[rest.index(after: brace)..<end])
            guard let place = Place(rawValue: name), allowed.contains(place) else {
                throw .unknownPlace(name, allowed: allowed)
            }
            pieces.append(.place(place))
            rest = rest[rest.index(after: end)...]
        }
        if !rest.isEmpty { pieces.append(.text(String(rest))) }
        self.string = string
        self.pieces = pieces
        // What stands between the places must be fit for a topic by itself.
        do throws(TopicError) {
            _ = try TopicName(fill { _ in "x" })
        } catch {
            throw .topic(error)
        }
    }

    public func uses(_ place: Place) -> Bool { pieces.contains(.place(place)) }

    /// - Throws: ``TopicError`` when the names that are filled in make the topic too long or empty.
    public func topic(device: String, sensor: String = "", channel: String? = nil) throws(TopicError) -> TopicName {
        try TopicName(
            fill { place in
                switch place {
                case .device: Self.level(device)
                case .sensor: Self.level(sensor)
                case .channel: Self.level(channel ?? "value")
                }
            })
    }

    private func fill(_ name: (Place) -> String) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .place(let place): name(place)
            }
        }.joined()
    }

    private static func level(_ name: String) -> String {
        String(String.UnicodeScalarView(name.unicodeScalars.map { "/+#\0".unicodeScalars.contains($0) ? "-" : $0 }))
    }
}
