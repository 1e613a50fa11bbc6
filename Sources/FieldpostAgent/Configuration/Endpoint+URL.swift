public import MQTT
public import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension Endpoint {
    /// Reads `mqtt://HOST[:PORT]`, `mqtts://HOST[:PORT]`, `ws://HOST[:PORT][/PATH]` or `wss://…`, in which HOST is a name, an IPv4 address or an IPv6 address in brackets.
    /// - Throws: ``InvalidText`` for anything else; for other schemes, user names and paths it says what to do.
    public init(parsing text: String) throws(InvalidText) {
        let example = #"write one like "mqtt://broker.example:1883""#
        // First of all: what follows repeats the text, which may hold a password.
        if text.contains("@") {
            throw InvalidText("a URL holds no user here", mend: #"use "username" and "password_file""#)
        }
        guard let (scheme, rest) = text.split(at: "://") else {
            throw InvalidText("\"\(text)\" is no broker's URL", mend: example)
        }
        let transport: Transport
        switch scheme.lowercased() {
        case "mqtt": transport = .tcp
        case "mqtts": transport = .tls
        case "ws": transport = .webSocket(path: Self.path(of: rest))
        case "wss": transport = .secureWebSocket(path: Self.path(of: rest))
        default: throw InvalidText("\"\(scheme)://\" is no broker's scheme", mend: example)
        }
        let authority = rest.prefix { $0 != "/" }
        if transport.path == nil && rest.count - authority.count > 1 || authority.contains(where: { "?#".contains($0) })
        {
            throw InvalidText("\"\(text)\" goes on behind the port", mend: example)
        }
        let host: String
        var portText: Substring?
        if authority.first == "[" {
            guard let (address, behind) = authority.dropFirst().split(at: "]"), behind.isEmpty || behind.first == ":",
                Self.isIPv6(address)
            else {
                throw InvalidText("\"\(text)\" has no IPv6 address in its brackets", mend: #"write it as in "[::1]""#)
            }
            host = String(address)
            if !behind.isEmpty { portText = behind.dropFirst() }
        } else if let (name, port) = authority.split(at: ":") {
            host = String(name)
            portText = port
        } else {
            host = String(authority)
        }
        if portText?.contains(":") == true {
            throw InvalidText(
                "\"\(text)\" has too many colons", mend: #"write an IPv6 address in brackets: "mqtt://[::1]:1883""#)
        }
        if authority.first != "[", !Self.isName(host) {
            throw InvalidText(host.isEmpty ? "\"\(text)\" has no host" : "\"\(host)\" is no host name", mend: example)
        }
        let port = portText.map { Int($0) ?? 0 } ?? transport.defaultPort
        guard (1...65_535).contains(port) else {
            throw InvalidText("\"\(text)\" has no valid port", mend: "a port is 1 to 65535")
        }
        self.init(transport: transport, host: host, port: port)
    }

    /// Where WebSocket is asked for; "/mqtt", as most brokers have it, when the URL does not say.
    private static func path(of rest: Substring) -> String {
        guard let slash = rest.firstIndex(of: "/"), rest.index(after: slash) < rest.endIndex else { return "/mqtt" }
        return String(rest[slash...])
    }

    /// The characters of host names, of IPv4 addresses, and the underscore that local networks are fond of.
    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
            }
    }

    /// An address, with a zone behind it if it is a link's own (`fe80::1%eth0`).
    private static func isIPv6(_ text: Substring) -> Bool {
        var address = [UInt8](repeating: 0, count: 16)
        return inet_pton(AF_INET6, String(text.prefix { $0 != "%" }), &address) == 1
    }
}

extension StringProtocol {
    /// What stands before and behind the first `separator`.
    func split(at separator: String) -> (SubSequence, SubSequence)? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(separator) {
                return (self[..<start], self[index(start, offsetBy: separator.count)...])
            }
            start = index(after: start)
        }
        return nil
    }
}
