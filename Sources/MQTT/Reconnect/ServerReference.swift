/// Where a server sends its client (5.0 §4.11): a list of `host`, `host:port` and `[address]:port`, with spaces
/// between them.
struct ServerReference: Sendable, Hashable {
    /// No more of them are looked at.
    static let maximumCount = 8

    /// What could be read, in the server's order; each is reached in the way in which the server was that names it, at that
    /// way's usual port if none is given.
    let endpoints: [Endpoint]

    init(_ text: String, from endpoint: Endpoint) {
        var endpoints: [Endpoint] = []
        for part in text.split(separator: " ").prefix(Self.maximumCount) {
            guard let other = Self.endpoint(part, endpoint.transport), !endpoints.contains(other) else { continue }
            endpoints.append(other)
        }
        self.endpoints = endpoints
    }

    private static func endpoint(_ text: Substring, _ transport: Endpoint.Transport) -> Endpoint? {
        let host: Substring
        let rest: Substring
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
        }
        // Letters, digits and what stands in host names, addresses and their zones: nothing that would make a URL.
        guard (1...255).contains(host.utf8.count),
            host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-._:%".contains($0)) })
        else { return nil }
        if rest.isEmpty { return Endpoint(transport: transport, host: String(host)) }
        guard rest.first == ":", let port = Int(rest.dropFirst()), (1...65_535).contains(port) else { return nil }
        return Endpoint(transport: transport, host: String(host), port: port)
    }
}
