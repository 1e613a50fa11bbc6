internal import Glibc
internal import TestSupport

/// Where and with what it was measured.
enum Machine {
    static func describe(_ peers: [String], rounds: Int) async {
        let model = field("model name", of: "/proc/cpuinfo") ?? field("Model", of: "/proc/cpuinfo") ?? "unknown CPU"
        let memory = field("MemTotal", of: "/proc/meminfo") ?? "?"
        let release = lines(of: "/proc/sys/kernel/osrelease").first ?? "?"
        let load = lines(of: "/proc/loadavg").first?.split(separator: " ").first ?? "?"
        var programs = [try? await version(systemProgram("mosquitto"), "-h")]
        for peer in peers { programs.append(try? await version(peer, "version")) }
        say(
            "\(sysconf(Int32(_SC_NPROCESSORS_ONLN))) × \(model), \(memory), Linux \(release), load \(load) before the start"
        )
        say(programs.compactMap(\.self).joined(separator: ", ") + "; rounds: \(rounds)")
    }

    /// The first line of what a program says of itself, however it ends.
    private static func version(_ program: String, _ argument: String) async throws -> String {
        let result = try await runProgram(program, [argument])
        return result.output.first ?? "?"
    }

    private static func field(_ name: String, of path: String) -> String? {
        guard let line = lines(of: path).first(where: { $0.hasPrefix(name) }), let colon = line.firstIndex(of: ":")
        else { return nil }
        return String(line[line.index(after: colon)...].drop { $0 == " " })
    }

    /// The lines of a file in /proc; none when it is not there.
    static func lines(of path: String) -> [String] {
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var lines: [String] = []
        var buffer = [CChar](repeating: 0, count: 4096)
        while fgets(&buffer, CInt(buffer.count), file) != nil {
            let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:))
            lines.append(String(decoding: bytes, as: UTF8.self))
        }
        return lines
    }
}
