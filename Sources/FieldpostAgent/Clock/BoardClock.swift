internal import CLinux
internal import Settings
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The board's clocks, and what the system knows of them.
struct BoardClock: Sendable {
    /// Before paths of the system; for tests.
    var root = ""

    /// Names this start of the board (random(4)); empty where the kernel does not tell.
    var boot: String {
        let text = try? SmallFile(path: root + "/proc/sys/kernel/random/boot_id", limit: 64).bytes
        return text.map { String(decoding: $0.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self) } ?? ""
    }

    func moment() -> ClockJudge.Moment {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return ClockJudge.Moment(
            wall: .now(), sinceBoot: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// A time from before there was any Fieldpost is none. Nor is one that systemd-timesyncd has made up from the last
    /// shutdown, and is about to set (systemd-timesyncd.service(8): it makes the file `synchronized` once it has) — unless
    /// the kernel is told by somebody that the clock is right (adjtimex(2)), or a battery has kept it.
    func isKnown(_ wall: Timestamp) -> Bool {
        guard wall.isPlausible else { return false }
        let service = root + "/run/systemd/timesync"
        guard access(service, F_OK) == 0, access(service + "/synchronized", F_OK) != 0 else { return true }
        return (root.isEmpty && clinux_clock_is_disciplined() == 1) || hasKeptTime(wall)
    }

    /// Whether a clock with a battery says the same. It may run on local time.
    private func hasKeptTime(_ wall: Timestamp) -> Bool {
        (0..<4).contains { number in
            let path = root + "/sys/class/rtc/rtc\(number)/since_epoch"
            guard let bytes = try? SmallFile(path: path, limit: 64).bytes,
                let seconds = Int64(String(decoding: bytes.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)),
                (0...32_503_680_000).contains(seconds)
            else { return false }
            return (wall - Timestamp(milliseconds: seconds * 1000)).magnitude < .seconds(86_400)
        }
    }
}

extension Duration {
    fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
}
