import Glibc
import TestSupport

/// `fieldpost` in a mount namespace of its own, where a folder is a disk that has become read-only.
struct ReadOnlyDisk: Sendable {
    let folder: String
    private static let spaces = geteuid() == 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"]

    /// - Parameter folder: exists, and is empty.
    init(_ folder: String) { self.folder = folder }

    private func arguments(_ fieldpost: [String]) throws -> [String] {
        Self.spaces + [
            "sh", "-c", "mount -t tmpfs none '\(folder)' && mount -o remount,ro '\(folder)' && exec \"$0\" \"$@\"",
            try Program.built("fieldpost"),
        ] + fieldpost
    }

    func start(_ fieldpost: [String]) async throws -> Program {
        try await Program.start(systemProgram("unshare"), arguments(fieldpost))
    }

    func run(_ fieldpost: [String]) async throws -> Outcome {
        try await runProgram(systemProgram("unshare"), arguments(fieldpost))
    }

    /// Lets the program write.
    func mend(for program: Program) async throws {
        let result = try await runProgram(
            systemProgram("nsenter"),
            ["--target", "\(program.processIdentifier)"] + Self.spaces.filter { $0 != "--map-root-user" }
                + (geteuid() == 0 ? [] : ["--preserve-credentials"]) + ["mount", "-o", "remount,rw", folder])
        guard result.ending == .exited(0) else { throw Unexpected("\(result)") }
    }

    /// Whether this machine lets us mount.
    static func isPossible() async -> Bool {
        guard let directory = try? TemporaryDirectory() else { return false }
        return (try? await ReadOnlyDisk(directory.path).run(["--version"]).ending) == .exited(0)
    }
}
