import Glibc
import MQTTWire

/// Plays scripts on many connections at once, on one thread.
struct Swarm {
    /// What came of it.
    struct Report: Sendable {
        var connections = 0
        /// How often the broker said what; packets with their reason codes, and how connections ended.
        var answers: [String: Int] = [:]
        /// What the broker must never say, with what it was first said to, and how often it was said.
        var faults: [String: (to: String, count: Int)] = [:]
        var refusedConnections = 0
    }

    /// So long nothing is said before the next chunk goes, or the connection ends.
    private static let quiet = Duration.milliseconds(25)
    /// So long a connection may take in all.
    private static let life = Duration.seconds(1)

    let port: Int
    /// How many connections there are at a time.
    let width: Int

    func run(for duration: Duration, next script: () -> Script) throws -> Report {
        var report = Report()
        var players: [Player] = []
        defer { for player in players { close(player.descriptor) } }
        let end = ContinuousClock.now + duration
        var states: [pollfd] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let now = ContinuousClock.now
            if now < end {
                // A few at a time: scripts take a while to make, and those who are there wait for their turn.
                for _ in 0..<min(8, width - players.count) {
                    guard let descriptor = try? RawConnection.open(port: port, waits: false) else {
                        report.refusedConnections += 1
                        break
                    }
                    players.append(Player(descriptor: descriptor, script: script(), now: now))
                    report.connections += 1
                }
            } else if players.isEmpty {
                return report
            }
            states.removeAll(keepingCapacity: true)
            for player in players {
                let events = player.isConnected ? POLLIN | (player.hasPending ? POLLOUT : 0) : POLLOUT
                states.append(pollfd(fd: player.descriptor, events: Int16(events), revents: 0))
            }
            poll(&states, nfds_t(states.count), 2)
            let later = ContinuousClock.now
            for index in players.indices.reversed() {
                let events = states[index].revents
                players[index].play(events: events, chunk: chunk, now: later)
                if players[index].isDone(now: later, quiet: Self.quiet, life: Self.life) {
                    let player = players.remove(at: index)
                    report.note(player)
                    player.end()
                }
            }
        }
    }
}

/// One connection of a swarm.
private struct Player {
    let descriptor: CInt
    let script: Script
    private(set) var check: AnswerCheck
    private(set) var isClosed = false
    private var chunk = 0
    private var offset = 0
    private var hasSaidEnd = false
    private(set) var isConnected = false
    private var start: ContinuousClock.Instant
    private var lastEvent: ContinuousClock.Instant

    init(descriptor: CInt, script: Script, now: ContinuousClock.Instant) {
        self.descriptor = descriptor
        self.script = script
        check = AnswerCheck(connect: script.connect)
        start = now
        lastEvent = now
    }

    var hasPending: Bool { chunk < script.chunks.count }
    /// Who has asked properly waits for the answer: a broker that is busy would otherwise hardly look at the rest.
    private var awaitsAnswer: Bool { script.connect != nil && check.said.isEmpty }

    mutating func play(events: Int16, chunk buffer: UnsafeMutableRawBufferPointer, now: ContinuousClock.Instant) {
        guard isConnected || events != 0 else { return }
        if !isConnected { (isConnected, start) = (true, now) }
        if events & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
            if count > 0 {
                check.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                lastEvent = now
            } else if count == 0 || errno != EAGAIN {
                isClosed = true
            }
        }
        if hasPending, events & Int16(POLLOUT) != 0 {
            let sent = script.chunks[chunk][offset...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            // What was said before the connection broke is still read above.
            if sent < 0, errno != EAGAIN { chunk = script.chunks.count }
            if sent >= 0 {
                offset += sent
                if offset == script.chunks[chunk].count { (chunk, offset) = (chunk + 1, 0) }
                lastEvent = now
            }
        } else if !hasPending, !awaitsAnswer, script.ending == .halfClose, !hasSaidEnd {
            hasSaidEnd = true
            shutdown(descriptor, CInt(SHUT_WR))
        }
    }

    func isDone(now: ContinuousClock.Instant, quiet: Duration, life: Duration) -> Bool {
        // A broker that is busy may take a while to accept: the kernel asks again after one second, then two.
        guard isConnected else { return now - start > .seconds(4) }
        if isClosed || now - start > life { return true }
        return !hasPending && !awaitsAnswer && now - lastEvent > quiet
    }

    func end() {
        if script.ending == .reset {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
        close(descriptor)
    }
}

extension Swarm.Report {
    fileprivate mutating func note(_ player: Player) {
        for answer in player.check.said { answers[answer, default: 0] += 1 }
        if player.isClosed { answers[player.check.said.isEmpty ? "closed without a word" : "closed", default: 0] += 1 }
        if let fault = player.check.fault {
            let chunks = player.script.chunks.map { chunk in chunk.prefix(400).map(\.hex2).joined() }
            faults[fault, default: ("\(chunks.joined(separator: " ").prefix(2_000))", 0)].count += 1
        }
    }
}

extension UInt8 {
    fileprivate var hex2: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}
