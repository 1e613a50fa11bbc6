import MQTT
import TestSupport
import Testing

/// A broker of 10,000 clients restarts: they come back spread out, as full jitter promises.
@Suite struct ReconnectTests {
    /// Of a virtual clock.
    private static let ticksPerSecond = 100

    private struct Fleet {
        var attempts = [Int](repeating: 0, count: 900)
        var accepted = [Int](repeating: 0, count: 900)
        /// By the number of failures before: where between nothing and the ceiling a delay fell, in twentieths.
        var twentieths = [[Int]](repeating: [Int](repeating: 0, count: 20), count: 9)
        /// When the last one was connected, in seconds.
        var end = 0

        /// The broker dies at 0, is down for so many seconds, and takes so many connections a second from then on.
        init(clients: Int, down: Int, perSecond: Int, seed: UInt64) {
            var generator = SplitMix64(seed: seed)
            var backoffs = [Backoff](repeating: Backoff(), count: clients)
            var due = [[Int]](repeating: [], count: attempts.count * ticksPerSecond)
            var connected = 0
            func wait(_ client: Int, from tick: Int, after failure: Backoff.Failure) {
                let delay = backoffs[client].delay(after: failure, using: &generator)
                let fraction = min(19, Int(delay / backoffs[client].ceiling * 20))
                twentieths[min(backoffs[client].failures, twentieths.count) - 1][fraction] += 1
                let next = tick + Int(delay / .seconds(1) * Double(ticksPerSecond))
                // A client that waits for less than a tick is asked in the next.
                if max(next, tick + 1) < due.count { due[max(next, tick + 1)].append(client) }
            }
            for client in 0..<clients { wait(client, from: -1, after: .ended(after: .seconds(3600))) }
            for tick in due.indices {
                let second = tick / ticksPerSecond
                var room = second < down ? 0 : perSecond / ticksPerSecond
                for client in due[tick] {
                    attempts[second] += 1
                    guard room > 0 else {
                        wait(client, from: tick, after: .notConnected)
                        continue
                    }
                    room -= 1
                    connected += 1
                    accepted[second] += 1
                    if connected == clients { end = second }
                }
            }
        }

        /// Attempts in seconds, as text: one line for each so many seconds.
        func histogram(upTo end: Int, step: Int) -> String {
            let rates = stride(from: 0, to: end, by: step).map { start in
                (start, attempts[start..<start + step].reduce(0, +), accepted[start..<start + step].reduce(0, +))
            }
            // The first second would make all others invisible.
            let unit = max(1, (rates.dropFirst().map(\.1).max() ?? 1) / 60)
            return rates.map { start, count, accepted in
                let bar = String(repeating: "#", count: min(64, count / unit)) + (count / unit > 64 ? "…" : "")
                return "\(padded(start, 4)) s \(padded(count, 6)) \(padded(accepted, 5)) \(bar)"
            }
            .joined(separator: "\n")
        }

        private func padded(_ number: Int, _ width: Int) -> String {
            String(String("\(number)".reversed()).padding(to: width).reversed())
        }
    }

    @Test func `ten thousand clients of a broker that restarts come back spread out`() {
        let clients = 10_000
        let down = 30
        let fleet = Fleet(clients: clients, down: down, perSecond: 200, seed: 42)
        print(
            """
            \(clients) clients, a broker that is down for \(down) s and then takes 200 connections a second:
               from  tries taken
            \(fleet.histogram(upTo: fleet.end / 10 * 10 + 10, step: 10))
            """)
        #expect(fleet.accepted.reduce(0, +) == clients)

        // Full jitter: each delay is uniform between nothing and its ceiling. Chi-square with 19 degrees of freedom is
        // above 50 once in 10,000.
        for (failures, counts) in fleet.twentieths.enumerated() {
            let total = counts.reduce(0, +)
            guard total >= 1000 else { continue }
            let expected = Double(total) / 20
            let chiSquare = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
            #expect(chiSquare < 50, "after \(failures + 1) failures: \(counts)")
        }

        // The ceilings rise while the broker is down, and with them the load falls: from all at once in the first second
        // to a small part of them.
        #expect(fleet.attempts[0] >= clients / 2)
        for second in 16..<down { #expect(fleet.attempts[second] < clients / 8, "second \(second)") }
        // No herd when it is back: at most a twentieth of all in one second, and none that stands out of the ten around
        // it by more than four standard deviations of a Poisson distribution and the slope.
        for second in down..<150 {
            #expect(fleet.attempts[second] < clients / 20, "second \(second)")
            let mean = Double(fleet.attempts[second - 5..<second + 5].reduce(0, +)) / 10
            #expect(Double(fleet.attempts[second]) < mean * 1.2 + 4 * mean.squareRoot(), "second \(second)")
        }
        // The broker's room is used from the start; 99 of 100 are back one longest wait after there was room for all, and
        // the last two such waits after it.
        let first = fleet.accepted[down..<down + 10].reduce(0, +)
        #expect(first > 10 * 200 / 2, "\(first) in the first ten seconds")
        let room = down + clients / 200
        #expect(fleet.accepted[..<(room + 120)].reduce(0, +) > clients * 99 / 100)
        #expect(fleet.end < room + 240, "the last came after \(fleet.end) s")
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
