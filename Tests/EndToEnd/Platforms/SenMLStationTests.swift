import TestSupport
import Testing
import Units

/// The agent's SenML, as a decoder that is not ours understands it.
@Suite(.timeLimit(.minutes(2))) struct SenMLStationTests {
    /// Names, values and times of packs, in milliseconds.
    private static func records(_ packs: [JSON]) -> [String: [Int64: Double]] {
        var records: [String: [Int64: Double]] = [:]
        for record in packs.flatMap({ $0.array ?? [] }) {
            guard let name = record["n"]?.string, let time = record["t"]?.number, let value = record["v"]?.number
            else { continue }
            records[name, default: [:]][Int64((time * 1000).rounded())] = value
        }
        return records
    }

    @Test func bothEncodingsSayTheSame() async throws {
        try await withMosquitto { broker in
            let directory = try TemporaryDirectory()
            try directory.write("21.5\n", to: "temp")
            let station = try Station(
                in: directory,
                brokerTable("broker", port: broker.port)
                    + """
                    [[uplink]]
                    profile = "senml"
                    name = "text"
                    topic = "json/{device}"
                    [[uplink]]
                    profile = "senml"
                    name = "binary"
                    topic = "cbor/{device}"
                    encoding = "cbor"
                    [queue]
                    commit_interval = "5ms"

                    """ + Station.clock() + Station.file("temp", in: directory, rest: "unit = \"°C\""))
            let texts = try await MosquittoSub.start(port: broker.port, ["json/#"], format: "json %p")
            let binaries = try await MosquittoSub.start(port: broker.port, ["cbor/#"], format: "cbor %x")
            let agent = try await station.run()
            try await texts.wait(for: "packs") { $0.count > 20 }
            try await station.stop(agent)
            // All has arrived when the agent has ended, and goes the same way to both.
            let count = Int(try await station.queueStatus()["next"]?.number ?? 0) - 1
            try await texts.wait(for: "all") { $0.count >= count / 2 }
            try await binaries.wait(for: "all") { $0.count >= count / 2 }
            let json = try await Self.records(SparkplugHost.senML(texts.received.lines))
            let cbor = try await Self.records(SparkplugHost.senML(binaries.received.lines))
            #expect(json == cbor)
            let ticks = try #require(json["station/tick"])
            #expect(ticks.count > 5)
            for (time, value) in ticks { #expect(Station.isTaken(.number(value), at: time)) }
            #expect(json["station/temp"]?.values.contains(21.5) == true)
            await texts.kill()
            await binaries.kill()
        }
    }
}
