import Glibc
import TestSupport

/// A tree of files some of which fail, vanish or block, as `Python/faulty_files.py` shows them.
///
/// A file system in user space, mounted where only its own process sees it, and reached through that process's root. So
/// it goes with the process, and needs no right that a user does not have where user namespaces are allowed.
final class FaultyFiles: Sendable {
    /// The folder to give to a driver as its root.
    let root: String

    private let program: Program

    /// - Parameter tree: what to show; changes of it are seen at once.
    /// - Throws: ``FaultyFilesError`` where the machine does not permit it.
    init(_ tree: FakeTree) async throws {
        let mountpoint = tree.root + ".faulty"
        guard mkdir(mountpoint, 0o700) == 0 else { throw SystemFailure(code: errno) }
        defer { rmdir(mountpoint) }
        let script = #filePath.split(separator: "/").dropLast(2).map { "/\($0)" }.joined() + "/Python/faulty_files.py"
        var reasons: [String] = []
        for spaces in geteuid() == 0 ? ["-m", "-Urm"] : ["-Urm"] {
            let program = try await Program.start(
                "/usr/bin/unshare", [spaces, "/usr/bin/python3", "-B", script, tree.root, mountpoint])
            if (try? await program.output.next()) == "ready" {
                self.program = program
                root = "/proc/\(program.processIdentifier)/root\(mountpoint)"
                return
            }
            _ = try? await program.wait()
            reasons.append(await program.errors.lines.joined(separator: " "))
        }
        throw FaultyFilesError(reasons: reasons)
    }

    /// Whether this machine lets us mount one; says why not.
    static func isPossible() async -> Bool {
        do {
            _ = try await FaultyFiles(try FakeTree())
            return true
        } catch {
            print("Files that fail cannot be shown here: \(error)")
            return false
        }
    }
}

struct FaultyFilesError: Error {
    var reasons: [String]
}
