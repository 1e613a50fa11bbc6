import Glibc
import MQTTServer
import TestSupport
import Testing

@Suite(.enabled(if: getenv("SERVE") != nil)) struct Scratch {
    @Test func serve() async throws {
        let seconds = getenv("SERVE").flatMap { Int(String(cString: $0)) } ?? 60
        try await Stage.with(
            ports: [.tcp: 21883, .ws: 28080, .tls: 28883, .wss: 28443],
            change: {
                if getenv("KEEP60") != nil { $0.limits.maximumKeepAlive = 60 }
                if getenv("MEM") != nil { $0.persistence = nil }
            }
        ) { stage in
            print("serving", stage.addresses)
            try await Task.sleep(for: .seconds(seconds))
        }
    }
}
