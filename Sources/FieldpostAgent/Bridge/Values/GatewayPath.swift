internal import MQTTWire

/// The gateways that have carried a message, in a user property of it (5.0): so a message that comes back over others is
/// known, whatever its topic has become.
struct GatewayPath: Sendable, Hashable {
    static let property = "fieldpost-path"
    /// A message that has come over so many goes no further.
    static let maximumLength = 16

    private(set) var gateways: [Substring]

    init(_ properties: Properties) {
        gateways = properties.userProperty(Self.property)?.split(separator: "/") ?? []
    }

    /// - Returns: nil when the message was here before, or has come over too many.
    func continued(by gateway: String) -> GatewayPath? {
        guard gateways.count < Self.maximumLength, !gateways.contains(where: { $0 == gateway }) else { return nil }
        var path = self
        path.gateways.append(gateway[...])
        return path
    }

    func write(to properties: inout Properties) {
        var all = properties.userProperties
        all.removeAll { $0.name == Self.property }
        all.append((Self.property, gateways.joined(separator: "/")))
        properties.userProperties = all
    }
}
