internal import Sensing
internal import Units

extension HomeAssistant {
    /// What has to be known of an entity to announce it again.
    struct Announced: Sendable, Hashable {
        enum Kind: String, Sendable, Hashable {
            case number, boolean, text

            init(_ value: Reading.Value) {
                switch value {
                case .number: self = .number
                case .boolean: self = .boolean
                case .text: self = .text
                }
            }
        }

        var component: String
        var kind: Kind
        var unit: String?

        init(component: String, kind: Kind, unit: String? = nil) {
            self.component = component
            self.kind = kind
            self.unit = unit
        }

        /// Nil if it is not what ``members`` wrote.
        init?(_ json: JSON) {
            guard let component = json["component"]?.string, HomeAssistant.components.contains(component),
                let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:))
            else { return nil }
            self.init(component: component, kind: kind, unit: json["unit"]?.string)
        }

        var members: [JSON.Member] {
            [JSON.Member("component", .string(component)), JSON.Member("kind", .string(kind.rawValue))]
                + (unit.map { [JSON.Member("unit", .string($0))] } ?? [])
        }
    }
}
